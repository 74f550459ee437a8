# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rung 2: named volumes, a row and a directory each."""
