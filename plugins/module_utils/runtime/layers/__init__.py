# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""File trees: a layer's tar becomes a directory, directories become a container's root.

limits       what a layer may ask for
decompress   compressed bytes -> uncompressed chunks (zstd: the same for zstd)
stream       chunks -> pieces as a tar reader wants them, hashed
headers      pieces -> entries; strict and bounded
tree         safe walking, making and removing below one descriptor
whiteouts    what a layer hides
attributes   extended attributes that an image may bring
extract      entries -> objects
demands      what a layer assumed about the layers below it
confine      a process enters a layer
child        the processes that unpack
worker       ... and how to talk to them
store        layers at rest, their records, staging, publication
view         what overlayfs will make of a stack of layers
parents      directories that layers need but do not list
assemble     layers -> an image's stack: checks the assumptions, corrects metadata, publishes
snapshots    a stack -> the root of a container, mounted
"""
