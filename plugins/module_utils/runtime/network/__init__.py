# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rung 2: networks, the links and addresses that containers have on them, published ports, names."""
