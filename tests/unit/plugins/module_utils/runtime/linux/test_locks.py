# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import threading
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import TimedOut
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import forget_lock, lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

NAME = "container-abc"
AT_ONCE = 0.0


@pytest.fixture
def paths(tmp_path: pathlib.Path) -> Paths:
    return Paths(str(tmp_path / "root"), str(tmp_path / "run"))


class Children:
    """Forked processes that do something, say so, and go on with something else; none outlives the test."""

    def __init__(self) -> None:
        self._pids: list[int] = []

    def start(self, action: t.Callable[[], object], then: t.Callable[[], object] = lambda: None) -> int:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            kept = action()
            os.write(writer, b"1")
            os.close(writer)
            then()
            del kept
            os._exit(0)
        self._pids.append(pid)
        os.close(writer)
        assert os.read(reader, 1) == b"1"
        os.close(reader)
        return pid

    def end(self, pid: int) -> None:
        self._pids.remove(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def end_all(self) -> None:
        for pid in list(self._pids):
            self.end(pid)


@pytest.fixture
def children() -> t.Iterator[Children]:
    children = Children()
    yield children
    children.end_all()


def hold(paths: Paths) -> t.ContextManager[None]:
    held = lock(paths, NAME)
    held.__enter__()
    return held


def is_free(paths: Paths, name: str = NAME, *, shared: bool = False) -> bool:
    result = []

    def try_it() -> None:
        try:
            with lock(paths, name, shared=shared, timeout=AT_ONCE):
                result.append(True)
        except TimedOut:
            result.append(False)

    # A thread holds nothing yet, whatever its maker holds.
    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    return result[0]


def test_one_holder_at_a_time(paths: Paths) -> None:
    with lock(paths, NAME):
        assert not is_free(paths)
        assert not is_free(paths, shared=True)
        assert is_free(paths, "container-abd")
    assert is_free(paths)


def test_sharers_keep_out_only_the_exclusive(paths: Paths) -> None:
    with lock(paths, "content", shared=True):
        assert is_free(paths, "content", shared=True)
        assert not is_free(paths, "content")


def test_released_when_the_block_fails(paths: Paths) -> None:
    with pytest.raises(ZeroDivisionError), lock(paths, NAME):
        raise ZeroDivisionError
    assert is_free(paths)


def test_waiting_ends_with_the_name_of_the_holder(paths: Paths, children: Children) -> None:
    pid = children.start(lambda: hold(paths), signal.pause)
    with pytest.raises(TimedOut) as caught, lock(paths, NAME, timeout=0.01):
        pass
    assert f"lock container-abc is still held by process {pid} (" in caught.value.message
    assert "after 0.01 s" in caught.value.message


def test_a_killed_holder_holds_nothing(paths: Paths, children: Children) -> None:
    children.end(children.start(lambda: hold(paths), signal.pause))
    assert is_free(paths)


def test_a_waiter_gets_the_lock_when_it_is_released(paths: Paths, children: Children) -> None:
    pid = children.start(lambda: hold(paths), signal.pause)
    threading.Timer(0.1, children.end, [pid]).start()
    with lock(paths, NAME, timeout=30):
        pass


def test_a_forked_child_does_not_keep_it_alive(paths: Paths, children: Children) -> None:
    """An extraction worker, say: its parent is killed, the worker runs on, the lock is free all the same."""
    grandchildren = Children()
    reader, writer = os.pipe()

    def hold_and_fork() -> object:
        held = hold(paths)
        os.write(writer, b"%d" % grandchildren.start(lambda: None, signal.pause))
        return held

    children.end(children.start(hold_and_fork, signal.pause))
    grandchild = int(os.read(reader, 20))
    free = is_free(paths)
    os.kill(grandchild, signal.SIGKILL)
    os.close(reader)
    os.close(writer)
    assert free


def test_a_forked_child_does_not_unlock_it(paths: Paths, children: Children) -> None:
    with lock(paths, NAME):
        children.end(children.start(lambda: None, signal.pause))
        assert not is_free(paths)


def test_a_program_does_not_inherit_it(paths: Paths) -> None:
    with lock(paths, NAME):
        program = subprocess.Popen(["sleep", "1000"], close_fds=False)
    assert is_free(paths)
    program.kill()
    program.wait()


def test_a_removed_file_locks_nobody_out(paths: Paths) -> None:
    """Who waited for the lock of an object that is gone gets that of its successor, alone."""
    entered = threading.Event()

    def wait_for_it() -> None:
        with lock(paths, NAME, timeout=30):
            entered.set()

    with lock(paths, NAME):
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        forget_lock(paths, NAME)
    waiter.join()
    assert entered.is_set()
    assert is_free(paths)


def test_the_order_is_enforced(paths: Paths) -> None:
    with lock(paths, "content", shared=True), lock(paths, "layer-aa"), lock(paths, "layer-bb"):
        with lock(paths, "container-aa"), lock(paths, "volume-00"), lock(paths, "names"):
            pass
        with lock(paths, "agent"):
            pass
    with lock(paths, "container-aa"):
        for wrong in ("content", "layer-bb", "container-aa", "container-a", "replacement-bb"):
            with (
                pytest.raises(RuntimeError, match="must not be taken after container-aa"),
                lock(paths, wrong),
            ):
                pass
    assert is_free(paths, "content")


@pytest.mark.parametrize(
    "name", ["", "web", "container-web", "container-../x", "layer-", "content-ab", "agent/x"]
)
def test_only_names_from_the_list(paths: Paths, name: str) -> None:
    with pytest.raises(ValueError, match="no such lock"), lock(paths, name):
        pass


def test_files_are_private_and_descriptors_closed(paths: Paths) -> None:
    before = os.listdir("/proc/self/fd")
    umask = os.umask(0)
    with lock(paths, NAME):
        pass
    os.umask(umask)
    assert os.stat(os.path.join(paths.locks, f"{NAME}.lock")).st_mode & 0o777 == 0o600
    assert os.stat(paths.locks).st_mode & 0o777 == 0o700
    assert os.listdir("/proc/self/fd") == before


def _count_up(paths: Paths, counter: str) -> None:
    for _round in range(50):
        with lock(paths, NAME):
            value = int(pathlib.Path(counter).read_text())
            pathlib.Path(counter).write_text(str(value + 1))


def test_mutual_exclusion_between_processes(paths: Paths, tmp_path: pathlib.Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    children = []
    for _round in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                _count_up(paths, str(counter))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert counter.read_text() == "200"


def test_a_fleeting_lock_leaves_no_file_and_keeps_those_who_wait(paths: Paths) -> None:
    order = []

    def wait_for_it() -> None:
        with lock(paths, NAME, fleeting=True):
            order.append("second")

    with lock(paths, NAME, fleeting=True):
        second = threading.Thread(target=wait_for_it)
        second.start()
        second.join(0.1)
        order.append("first")
    second.join()
    assert order == ["first", "second"]
    assert os.listdir(paths.locks) == []
