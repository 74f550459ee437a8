# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.capabilities import (
    DEFAULT_CAPABILITIES,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.host_facts import HostFacts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.live_limits import (
    live_limits,
    with_limits,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.seccomp import Machine

HOST = HostFacts(
    machine=Machine("x86_64", (6, 1)),
    cgroup_mode="v2",
    controllers=frozenset({"cpu", "cpuset", "memory", "pids", "io"}),
    limits_swap=True,
    bounding=frozenset(DEFAULT_CAPABILITIES),
    largest_limits={},
    side_channels=(),
)
EVERYTHING = {"cpus": "0-3", "mems": "0"}
NO_MEMORY_LIMIT = {"limit": -1, "reservation": -1, "swap": -1}

Options = dict[str, t.Any]


@pytest.mark.parametrize(
    ("before", "now", "resources", "lifted"),
    [
        ({}, {}, {}, ()),
        ({"labels": {"a": "b"}}, {}, {}, ()),
        ({}, {"memory": 100}, {"memory": {**NO_MEMORY_LIMIT, "limit": 100, "swap": 200}}, ()),
        ({"memory": 100}, {}, {"memory": NO_MEMORY_LIMIT}, ()),
        (
            {"memory": 100},
            {"memory": 100, "memory_swap": -1, "memory_reservation": 50},
            {"memory": {"limit": 100, "swap": -1, "reservation": 50}},
            (),
        ),
        ({}, {"cpus": 0.5}, {"cpu": {"shares": 1024, "period": 100000, "quota": 50000}}, ()),
        ({"cpus": 0.5}, {}, {"cpu": {"shares": 1024, "period": 100000}}, ("cpu",)),
        (
            {"cpu_quota": 5000, "cpu_period": 20000},
            {"cpu_shares": 5},
            {"cpu": {"shares": 5, "period": 100000}},
            ("cpu",),
        ),
        ({}, {"cpuset_cpus": "0"}, {"cpu": {"cpus": "0", "mems": "0"}}, ()),
        ({"cpuset_cpus": "0"}, {}, {"cpu": {"cpus": "0-3", "mems": "0"}}, ()),
        ({}, {"pids_limit": 9}, {"pids": {"limit": 9}}, ()),
        ({"pids_limit": 9}, {}, {"pids": {"limit": 2048}}, ()),
        ({"pids_limit": 9}, {"pids_limit": -1}, {}, ("pids",)),
    ],
)
def test_what_has_to_be_told(
    before: Options, now: Options, resources: dict[str, t.Any], lifted: tuple[str, ...]
) -> None:
    update = live_limits(ContainerConfig(**before), ContainerConfig(**now), HOST, EVERYTHING)
    assert update == (resources, lifted)


def test_a_host_that_does_not_count_swap_hears_nothing_of_it() -> None:
    update = live_limits(
        ContainerConfig(), ContainerConfig(memory=100), HOST._replace(limits_swap=False), EVERYTHING
    )
    assert update.resources == {"memory": {"limit": 100, "reservation": -1}}


def test_a_rate_that_goes_is_told_as_none() -> None:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import (
        live_limits as module,
    )

    def section(rate: int) -> dict[str, t.Any]:
        return {"throttleReadBpsDevice": [{"major": 8, "minor": rate, "rate": rate}], "weight": 10}

    assert module._rates(section(1), section(2)) == {
        "throttleReadBpsDevice": [
            {"major": 8, "minor": 1, "rate": 0},
            {"major": 8, "minor": 2, "rate": 2},
        ]
    }
    assert module._rates({}, section(2)) == {"throttleReadBpsDevice": [{"major": 8, "minor": 2, "rate": 2}]}


def test_only_limits_are_taken_over() -> None:
    one, other = ContainerConfig(user="app", memory=1), ContainerConfig(user="root", cpus=2.0)
    assert with_limits(one, other) == ContainerConfig(user="app", cpus=2.0)
