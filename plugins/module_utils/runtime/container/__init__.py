# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One container: what was asked, what the runtime is told, and what became of it."""
