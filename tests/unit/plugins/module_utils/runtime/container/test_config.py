# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.contradictions import (
    check_config,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


def test_a_config_survives_json() -> None:
    config = ContainerConfig(image="x", entrypoint=[], tty=False, memory=0, env={"A": ""}, cpus=0.5)
    text = json.dumps(config.to_json())
    assert json.loads(text) == {
        "image": "x",
        "entrypoint": [],
        "tty": False,
        "memory": 0,
        "env": {"A": ""},
        "cpus": 0.5,
    }
    assert ContainerConfig.from_json(json.loads(text)) == config


def test_what_a_newer_engine_wrote_is_read() -> None:
    assert ContainerConfig.from_json({"image": "x", "hologram": True}) == ContainerConfig(image="x")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (ContainerConfig(memory_swap=1), "memory_swap limits memory and swap together and needs memory"),
        (ContainerConfig(memory=2, memory_swap=1), "memory_swap (1) is less than memory (2)"),
        (ContainerConfig(memory=2, memory_reservation=3), "memory_reservation (3) is more than memory (2)"),
        (ContainerConfig(cpus=1, cpu_quota=5000), "cpus and cpu_quota"),
        (ContainerConfig(cpus=1, cpu_period=5000), "cpus and cpu_period"),
        (
            ContainerConfig(restart_policy="always", restart_retries=3),
            "has no meaning with the restart policy always",
        ),
        (ContainerConfig(restart_retries=3), "has no meaning with the restart policy no"),
        (ContainerConfig(restart_policy="always", auto_remove=True), "auto_remove removes"),
        (
            ContainerConfig(tmpfs={"/run": ""}, volumes=[{"target": "/run"}]),
            "/run is in volumes and in tmpfs",
        ),
        (ContainerConfig(ipc_mode="none", shm_size=1), "shm_size has no meaning with ipc_mode none"),
        (
            ContainerConfig(log_options={"tag": "x"}),
            "log_options: tag has no meaning with the log driver k8s",
        ),
        (ContainerConfig(log_driver="none", log_options={"max-file": "2"}), "with the log driver none"),
        (ContainerConfig(log_options={"max-size": "-1", "max-file": "2"}), "max-file has no meaning without"),
        (ContainerConfig(env={"A": "x" * ((128 << 10) - 2)}), "env A is 131073 bytes long"),
        (ContainerConfig(command=["sh", "ü" * (64 << 10)]), "command is 131073 bytes long"),
        (ContainerConfig(env={f"A{n}": "x" * 999 for n in range(2200)}), "command and env are "),
    ],
)
def test_options_that_contradict(config: ContainerConfig, problem: str) -> None:
    with pytest.raises(InvalidInput) as error:
        check_config(config)
    assert problem in error.value.message
    assert error.value.hint


@pytest.mark.parametrize(
    "config",
    [
        ContainerConfig(),
        ContainerConfig(memory=2, memory_swap=-1),
        ContainerConfig(memory_swap=-1),
        ContainerConfig(memory=2, memory_swap=2, memory_reservation=2),
        ContainerConfig(memory_reservation=2),
        ContainerConfig(cpus=1, cpu_shares=5),
        ContainerConfig(cpu_quota=1, cpu_period=5),
        ContainerConfig(restart_policy="on-failure", restart_retries=3),
        ContainerConfig(restart_policy="no", auto_remove=True),
        ContainerConfig(log_driver="journald", log_options={"tag": "x"}),
        ContainerConfig(tmpfs={"/run": ""}, volumes=[{"target": "/run/x"}]),
        ContainerConfig(env={"A": "x" * ((128 << 10) - 3)}),  # with `A=` and the terminator: exactly the most
    ],
)
def test_options_that_go_together(config: ContainerConfig) -> None:
    check_config(config)
