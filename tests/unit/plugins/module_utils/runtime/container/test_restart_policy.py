# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import itertools

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerState,
    Exit,
    Replaces,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.restart_policy import (
    next_pause,
    starts_at_boot,
    wants_restart,
)


@pytest.mark.parametrize(
    ("policy", "retries", "code", "count", "wanted"),
    [
        (None, None, 1, 0, False),
        ("no", None, 1, 0, False),
        ("on-failure", None, 0, 0, False),
        ("on-failure", None, 1, 1000, True),
        ("on-failure", 0, 1, 1000, True),
        ("on-failure", 2, 1, 1, True),
        ("on-failure", 2, 1, 2, False),
        ("on-failure", 2, 0, 0, False),
        ("always", None, 0, 1000, True),
        ("unless-stopped", None, 0, 1000, True),
    ],
)
def test_wants_restart(policy: str | None, retries: int | None, code: int, count: int, wanted: bool) -> None:
    config = ContainerConfig(restart_policy=policy, restart_retries=retries)
    ended = Exit(code, "then", "now")
    assert wants_restart(config, ContainerState(restart_count=count), ended) is wanted
    assert wants_restart(config, ContainerState(restart_count=count, stopped_by_user=True), ended) is False
    halved = ContainerState(restart_count=count, replaces=Replaces("f" * 64, True))
    assert wants_restart(config, halved, ended) is False


def test_pauses_double_up_to_a_minute() -> None:
    pauses = list(itertools.accumulate(range(12), lambda last, _step: next_pause(last, 0.5), initial=0.0))
    assert pauses[1:6] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert pauses[-2:] == [60.0, 60.0]
    assert next_pause(60.0, 10.0) == 0.1


@pytest.mark.parametrize(
    ("policy", "stopped", "ran", "starts"),
    [
        ("no", False, True, False),
        ("on-failure", False, True, False),
        ("always", False, True, True),
        ("always", True, True, True),
        ("always", False, False, False),
        ("unless-stopped", False, True, True),
        ("unless-stopped", True, True, False),
        ("unless-stopped", False, False, False),
    ],
)
def test_starts_at_boot(policy: str, stopped: bool, ran: bool, starts: bool) -> None:
    state = ContainerState(stopped_by_user=stopped, exit=Exit(0, "then", "now") if ran else None)
    assert starts_at_boot(ContainerConfig(restart_policy=policy), state) is starts
