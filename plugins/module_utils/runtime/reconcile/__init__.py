# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Desired against actual: plans, never effects. Executing a plan is calling the operations below."""
