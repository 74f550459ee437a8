# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rung 1: the state file. `database` opens, migrates and hands out transactions; `schema` is its shape;
`roots` says which run root belongs to which root.
"""
