# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rung 1: what the kernel offers, in the words of the kernel.

syscalls      calls that Python does not have, through one errno funnel
files         private directories, atomic writes, paths resolved inside a root, removal of hostile trees
copies        a tree of files copied into another, neither of them trusted
descent       through a tree that somebody else may be changing
locks         flock with a bounded wait; the one list of lock order
processes     identities that survive PID reuse; running and starting programs
mount_options options as in fstab(5)
mounts        overlay, bind, unmount, what is mounted below a path
cgroups       one face for v1, hybrid and v2
selinux       labels of files that containers use
namespaces    network namespaces that outlive their maker
"""
