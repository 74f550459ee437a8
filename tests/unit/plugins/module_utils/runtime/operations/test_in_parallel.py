# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import threading

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.in_parallel import in_parallel


def test_every_item_is_done_once() -> None:
    done: list[int] = []
    in_parallel(done.append, range(100), threads=4)
    assert sorted(done) == list(range(100))


def test_nothing_is_no_work() -> None:
    in_parallel(int, [])


def test_as_many_at_once_as_asked_for() -> None:
    everybody = threading.Barrier(3, timeout=10)
    in_parallel(lambda _item: everybody.wait(), range(3), threads=3)


def test_after_an_error_nothing_more_is_begun_and_the_first_error_is_raised() -> None:
    begun: list[int] = []
    others_run = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            assert others_run.wait(10)
            raise ValueError("first")
        others_run.set()
        while not failed():
            threading.Event().wait(0.001)
        raise KeyError("second")

    def failed() -> bool:
        return threading.active_count() < before + 2

    before = threading.active_count()
    with pytest.raises(ValueError, match="first"):
        in_parallel(work, range(50), threads=2)
    assert sorted(begun) == [0, 1]
