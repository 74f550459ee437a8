# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Errors of the engine in the words of the command."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.command.spoken import as_typed
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("published_ports: 'abc' is no port", "--publish: 'abc' is no port"),
        ("create web: memory_swap: no (leave it out)", "create web: --memory-swap: no (leave it out)"),
        ("auto_remove removes what restarts (keep one)", "--rm removes what restarts (keep one)"),
        ("mac_address is odd with network_mode none", "--mac-address is odd with --network none"),
        ("cpus and cpu_quota set the same limit", "--cpus and --cpu-quota set the same limit"),
        ("it exists already (run the task again)", "it exists already (try again)"),
        ("there is no network x (make it with the module network)",
         "there is no network x (make it with: coracle network create)"),
        ("read /srv/shm_size.txt: no such file", "read /srv/shm_size.txt: no such file"),
        ("No such container: my-shm_size", "No such container: my-shm_size"),
    ],
)  # fmt: skip
def test_as_typed(theirs: str, ours: str) -> None:
    assert as_typed(theirs) == ours


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(ContainerConfig)])
def test_no_name_of_an_option_of_the_module_is_left(field: str) -> None:
    """Those without a line between are words of their own, and read well enough."""
    cannot_be_asked_for = ("networks_cli_compatible", "default_host_ip")
    if "_" in field and field not in cannot_be_asked_for:
        assert as_typed(f"{field} is odd").startswith("--")
