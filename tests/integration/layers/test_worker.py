# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The processes that unpack: confined, without anything of the caller's, and never outliving it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    HostNotReady,
    IntegrityError,
    RuntimeFailure,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers import child, confine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.limits import DEFAULT, Limits
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import LayerStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.worker import (
    ExtractionPool,
    ExtractionWorker,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import programs
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.layers.conftest import Images, fill
from ansible_collections.coracle.engine.tests.tars import archive, file, hard_link, symbolic_link

CONTENT = os.urandom(3 << 20)
LAYER = archive(file("x", CONTENT))
DIFF_ID = "sha256:" + hashlib.sha256(LAYER).hexdigest()


def children_of(pid: int) -> list[int]:
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def wait_until(condition: t.Callable[[], bool]) -> None:
    """Something that the kernel does soon; a minute is for a machine under load."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def half_way(images: Images, compression: str = "none") -> t.Iterator[tuple[ExtractionWorker, int, int]]:
    """A worker in the middle of a layer, with the PIDs of the fork server and of its child."""
    before = children_of(os.getpid())
    with ExtractionPool() as pool, images.store.stage(DIFF_ID) as staged:
        worker = pool.start(staged, compression)
        try:
            if compression == "none":
                worker.write(LAYER[: 2 << 20])
            (server,) = set(children_of(os.getpid())) - set(before)
            (unpacking,) = children_of(server)
            if compression == "none":
                wait_until(lambda: os.listdir(staged.diff) == ["x"])
            yield worker, server, unpacking
        finally:
            worker.abort()


def test_child_has_nothing_of_the_caller(images: Images) -> None:
    with open(os.devnull) as inherited, half_way(images) as (worker, server, unpacking):
        os.set_inheritable(inherited.fileno(), True)
        for pid, most in ((server, 4), (unpacking, 8)):
            open_files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            kinds = {name.partition(":")[0] for name in open_files}
            assert kinds <= {"/dev/null", "socket", "pipe", "/", "/x"}
            assert len(open_files) <= most
        assert pathlib.Path(f"/proc/{unpacking}/oom_score_adj").read_text() == "500\n"
        mounts = pathlib.Path(f"/proc/{unpacking}/mountinfo").read_text().splitlines()
        assert len(mounts) == 1
        assert {"noexec", "nodev", "nosuid"} <= set(mounts[0].split()[5].split(","))
        worker.write(LAYER[2 << 20 :])
        assert worker.finish().bytes == len(CONTENT)


def test_abort_ends_the_child(images: Images) -> None:
    with half_way(images) as (worker, _server, unpacking):
        worker.abort()
        assert not pathlib.Path(f"/proc/{unpacking}/cwd/x").exists()
        worker.abort()


def write_on(worker: ExtractionWorker) -> None:
    for _megabyte in range(100):
        worker.write(bytes(1 << 20))
    worker.finish()


@pytest.mark.parametrize("whom", ["server", "child"])
def test_killed_processes_are_noticed(images: Images, whom: str) -> None:
    with half_way(images) as (worker, server, unpacking):
        os.kill(server if whom == "server" else unpacking, signal.SIGKILL)
        with pytest.raises(RuntimeFailure, match="killed"):
            write_on(worker)
        wait_until(lambda: not os.path.exists(f"/proc/{unpacking}/cwd/x"))


def test_a_pool_without_its_server_says_so(images: Images) -> None:
    before = children_of(os.getpid())
    with ExtractionPool() as pool, images.store.stage(DIFF_ID) as staged:
        (server,) = set(children_of(os.getpid())) - set(before)
        os.kill(server, signal.SIGKILL)
        with pytest.raises(RuntimeFailure, match="gone"):
            pool.start(staged, "none")


ORPHANS = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import conftest
from {package}.paths import Paths
from {package}.layers.store import LayerStore
from {package}.layers.worker import ExtractionPool
pool = ExtractionPool()
staged = LayerStore(Paths({root!r}, {run_root!r})).stage("sha256:" + "0" * 64)
worker = pool.start(staged, "none")
worker.write(bytes(100))
print(open(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read().split()[0], flush=True)
signal.pause()
"""


def test_all_die_with_the_caller(images: Images) -> None:
    tests = str(pathlib.Path(__file__).parents[2])
    package = "ansible_collections.coracle.engine.plugins.module_utils.runtime"
    script = ORPHANS.format(tests=tests, package=package, **images.paths._asdict())
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        server = int(caller.stdout.readline())
        processes = [server, *children_of(server)]
        assert len(processes) == 2
        caller.kill()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in processes))
    assert len(os.listdir(images.paths.staging)) == 1
    images.store.sweep()
    assert os.listdir(images.paths.staging) == []


def test_many_layers_from_many_threads(images: Images) -> None:
    layers = [
        archive(file(f"d/{number}", os.urandom(50_000)), file("x", bytes(number))) for number in range(12)
    ]
    errors: list[BaseException] = []

    def put(pool: ExtractionPool, layer: bytes) -> None:
        try:
            with images.store.stage("sha256:" + hashlib.sha256(layer).hexdigest()) as staged:
                fill(pool, staged, layer, "none")
                images.store.publish([staged])
        except BaseException as error:
            errors.append(error)

    with ExtractionPool() as pool:
        threads = [threading.Thread(target=put, args=(pool, layer)) for layer in layers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert len([name for name in images.store.names() if images.store.verify(name)]) == len(layers)


def test_errors_keep_their_kind_and_facts(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IntegrityError, match="a is used as a directory") as caught:
        images.lay_out(archive(file("a"), file("a/b")))
    assert caught.value.message.startswith("entry a/b: ")
    monkeypatch.setattr(programs, "find_program", _not_found)
    with ExtractionPool() as pool, images.store.stage(DIFF_ID) as staged:
        with pytest.raises(HostNotReady, match="not installed") as missing:
            fill(pool, staged, LAYER, "zstd")
        assert missing.value.hint == "the role"
        assert missing.value.facts == {"program": "zstd"}


def _not_found(name: str, _hint: str = "") -> str:
    raise HostNotReady(f"{name} is not installed", "the role", program=name)


def test_a_child_out_of_memory_says_so() -> None:
    assert child._explained(MemoryError())["kind"] == "IntegrityError"
    assert "memory" in child._explained(MemoryError())["message"]
    assert child._explained(ValueError("odd"))["message"] == "ValueError: odd"


# Inside


def inside(directory: pathlib.Path, act: t.Callable[[], t.Any]) -> t.Any:
    """What `act` returns, or the name of what it raises, in a process that has entered `directory`/diff."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            confine.limit_resources(Limits(memory=64 << 20))
            confine.enter(str(directory), [])
            answer = act()
        except BaseException as error:
            answer = type(error).__name__
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as report:
        answer = json.loads(report.read())
    os.waitpid(pid, 0)
    return answer


def _import() -> None:
    import wave  # noqa: F401


def _execute() -> None:
    os.execv("/program", ["/program"])


def _load() -> None:
    fd = os.open("/program", os.O_RDONLY)
    mmap.mmap(fd, 1, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)


def _open_device() -> None:
    os.mknod("/null", 0o20666, os.makedev(1, 3))
    os.open("/null", os.O_RDONLY)


def _allocate() -> None:
    bytearray(128 << 20)


def test_what_a_process_inside_cannot_do(place: pathlib.Path) -> None:
    root = place / "diff"
    root.mkdir()
    (root / "program").write_bytes(pathlib.Path("/bin/true").read_bytes())
    (root / "program").chmod(0o755)
    for name in ("wave.py", "usr"):
        (root / name).write_text("raise SystemExit('the image was imported')")
    assert inside(place, _import) == "ModuleNotFoundError"
    assert inside(place, _execute) == "PermissionError"
    assert inside(place, _load) == "PermissionError"
    assert inside(place, _open_device) == "PermissionError"
    assert inside(place, _allocate) == "MemoryError"
    assert sorted(inside(place, lambda: os.listdir("/../../.."))) == ["null", "program", "usr", "wave.py"]
    assert inside(place, lambda: os.path.exists("/proc/self")) is False
    assert inside(place, lambda: os.path.exists(__file__)) is False
    assert "null" in os.listdir(root)


def test_compressed_data_that_never_comes(images: Images) -> None:
    """The caller may give up at any time, also with a decompressor waiting for input."""
    with half_way(images, "zstd") as (worker, _server, unpacking):
        decompressors: list[int] = []
        wait_until(lambda: bool(decompressors.extend(children_of(unpacking)) or decompressors))
        worker.abort()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in decompressors))


def test_a_layer_over_its_parents_is_confined_too(images: Images, place: pathlib.Path) -> None:
    base = archive(symbolic_link("out", str(place)), file("one"))
    assembly = images.lay_out(base, archive(file("out/pwn", b"x"), hard_link("two", "one")))
    assert images.reopened == [1]
    assert not (place / "pwn").exists()
    with images.mounted(assembly) as root:
        assert pathlib.Path(root, *place.parts[1:], "pwn").read_bytes() == b"x"
    layer = os.path.dirname(images.store.path(assembly.directories[1]))
    assert sorted(os.listdir(layer)) == ["diff", "layer.json"]


def test_unknown_paths(engine_roots: Paths) -> None:
    assert LayerStore(engine_roots).record("0" * 64) is None
    assert DEFAULT.entries >= 1_000_000
