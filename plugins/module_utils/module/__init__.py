# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Ansible's face of the engine: argument specs, results, one place where errors become `fail_json`."""
