# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A plan that fails in the middle says what it has done until then."""

from __future__ import annotations

import dataclasses
import errno

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    RuntimeFailure,
    StorageError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.steps import Plan, Step


@dataclasses.dataclass(frozen=True)
class Said(Step):
    """Does nothing, or fails."""

    sentence: str
    failure: Exception | None = None
    stays: bool = True

    def describe(self) -> str:
        return self.sentence

    def execute(self, engine: Engine) -> None:
        if self.failure:
            raise self.failure

    def lasts(self, engine: Engine) -> bool:
        return self.stays


class Waiting(Said):
    changes = False


def failing(*steps: Step) -> CoracleError:
    with pytest.raises(CoracleError) as caught:
        Plan(steps).execute(Engine(Paths("/nowhere", "/nowhere/run")))
    return caught.value


@pytest.mark.parametrize(
    ("before", "actions"),
    [
        ([], []),
        ([Said("pull"), Said("create")], ["pull", "create"]),
        ([Said("pull"), Said("create", stays=False)], ["pull"]),
        ([Waiting("wait")], []),
    ],
    ids=["nothing", "two", "taken back", "waited"],
)
def test_an_error_tells_what_was_done(before: list[Step], actions: list[str]) -> None:
    error = failing(*before, Said("start", RuntimeFailure("no", status=7)), Said("pause"))
    assert error.facts == {"status": 7, "actions": actions, "changed": bool(actions)}


def test_what_the_failing_step_has_done_itself_comes_last() -> None:
    error = failing(Said("pull"), Said("replace", RuntimeFailure("no", actions=["restart the old one"])))
    assert (error.facts["actions"], error.facts["changed"]) == (["pull", "restart the old one"], True)


def test_an_error_of_the_disk_tells_it_as_well() -> None:
    error = failing(Said("pull"), Said("create", OSError(errno.ENOSPC, "No space left on device", "/x")))
    assert isinstance(error, StorageError)
    assert (error.facts["actions"], error.facts["changed"]) == (["pull"], True)
