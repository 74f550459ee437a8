# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import RegistryError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry import patience
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.patience import Patience


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        monkeypatch.setattr(patience.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(patience.time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


ERROR = RegistryError("no")


def exhaust(some: Patience, retry_after: float = 0.0) -> None:
    """Fail until it gives up."""
    with pytest.raises(RegistryError):
        list(iter(lambda: some.wait(ERROR, retry_after), "never"))


def test_pauses_double(clock: Clock) -> None:
    counted: list[int] = []
    exhaust(Patience(4, 15, lambda: counted.append(1)))
    assert len(clock.pauses) == len(counted) == 4
    for pause, expected in zip(clock.pauses, (0.25, 0.5, 1, 2)):
        assert expected * 0.8 <= pause <= expected * 1.2


def test_the_wish_of_the_server_is_capped(clock: Clock) -> None:
    exhaust(Patience(4, 15), retry_after=1e9)
    assert clock.pauses == [10.0] * 4


def test_a_short_wish_does_not_shorten_the_pause(clock: Clock) -> None:
    exhaust(Patience(2, 15), retry_after=0.3)
    assert clock.pauses[0] == 0.3
    assert clock.pauses[1] >= 0.4


def test_time_without_progress_ends_it_however_many_attempts_are_left(clock: Clock) -> None:
    some = Patience(1000, 15)
    exhaust(some)
    assert 45 <= sum(clock.pauses) <= 55


def test_progress_counts_anew(clock: Clock) -> None:
    some = Patience(2, 15)
    for _round in range(5):
        some.wait(ERROR)
        some.wait(ERROR)
        some.progressed()
    exhaust(some)
    assert len(clock.pauses) == 12
    assert max(clock.pauses) < 1


def test_no_retries_at_all(clock: Clock) -> None:
    exhaust(Patience(0, 15))
    assert clock.pauses == []
