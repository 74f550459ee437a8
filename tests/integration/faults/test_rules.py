# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The twelve rules that make `done` mean `on disk`, and a crash a thing that the next task repairs without
being told.

One section for each. They are examples: the same operations at every step are in test_foundation.py,
test_containers.py and ../image/test_faults.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import list_images
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine, open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CleanupFailed,
    CoracleError,
    IntegrityError,
    StateError,
    StorageError,
    TimedOut,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import RECORD, LayerStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import (
    identity,
    signal_process,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.collect_garbage import (
    collect_garbage,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pause_container import (
    pause_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.prepare_container import (
    prepare_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.restore_containers import (
    restore_containers,
    shut_down_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container import (
    plan_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_request import (
    Request,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_sight import Sight
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until
from ansible_collections.coracle.engine.tests.integration.faults import verbs
from ansible_collections.coracle.engine.tests.integration.faults.disks import Disk
from ansible_collections.coracle.engine.tests.integration.faults.injection import Operation
from ansible_collections.coracle.engine.tests.integration.image.images import (
    assert_whole,
    content,
    find,
    pull,
    stored,
)

SLEEP = ("sleep", "1000")


def assert_intact(engine: Engine, name: str, expected: t.Mapping[str, bytes]) -> None:
    record = find(engine, name)
    assert record is not None
    assert_whole(engine, record)
    assert content(engine, record) == expected
    for digest in BlobStore(engine.paths).digests():
        BlobStore(engine.paths).read(digest)


@pytest.fixture
def engine(engine_roots: Paths) -> t.Iterator[Engine]:
    with open_engine(*engine_roots) as engine:
        yield engine


@pytest.fixture
def expected(engine: Engine, app: str) -> dict[str, bytes]:
    """What is in the image, which is here."""
    return content(engine, pull(engine, app).record)


# R1: data, sync, rename, sync, then the reference


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_r1_what_was_reported_survives_a_power_cut(
    engine: Engine, app: str, expected: dict[str, bytes], filesystem: str
) -> None:
    directory = pathlib.Path(engine.paths.root).parent
    with Disk(directory, filesystem=filesystem) as disk:
        assert Operation(disk.paths, verbs.pull, app).run().done
        disk.cut_power()
        with open_engine(*disk.paths) as after:
            assert_intact(after, app, expected)


# R2: a layer is what its completion record says


def _truncate(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _count_wrongly(path: pathlib.Path) -> None:
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "entries": record["entries"] + 1}))


@pytest.mark.parametrize(
    "damage",
    [
        pathlib.Path.unlink,
        _truncate,
        _count_wrongly,
        lambda path: path.write_text(""),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text("\0" * 100),
    ],
)
def test_r2_a_layer_without_a_right_record_is_made_again(
    engine: Engine, app: str, expected: dict[str, bytes], damage: t.Callable[[pathlib.Path], t.Any]
) -> None:
    store = LayerStore(engine.paths)
    name = store.names()[0]
    damage(pathlib.Path(engine.paths.layers, name, RECORD))
    assert not store.verify(name)
    pulled = pull(engine, app)
    assert (pulled.layers, pulled.bytes) == (1, 0)  # from the blob that is kept
    assert_intact(engine, app, expected)


# R3: bytes are verified when they are read


def test_r3_no_blob_is_believed(engine: Engine, app: str, expected: dict[str, bytes]) -> None:
    blobs = BlobStore(engine.paths)
    for digest in list(blobs.digests()):
        path = pathlib.Path(blobs.path(digest))
        good = path.read_bytes()
        for bad in (bytes([good[0] ^ 1]) + good[1:], good[:-1], good + b"x", b""):
            path.write_bytes(bad)
            with pytest.raises(IntegrityError):
                blobs.read(digest)
        path.write_bytes(good)


def test_r3_a_pull_looks_at_the_layers_that_are_here(
    engine: Engine, app: str, expected: dict[str, bytes]
) -> None:
    """Files of no length: what a power cut makes of layers that were not synced."""
    record = find(engine, app)
    assert record is not None
    for name in record.mounted_directories:
        for directory, _names, files in os.walk(LayerStore(engine.paths).path(name)):
            for file in files:
                os.truncate(os.path.join(directory, file), 0)
    pull(engine, app)
    assert_intact(engine, app, expected)


# R4: deletion is one rename; what lies in staging or trash unlocked is garbage


def test_r4_a_layer_goes_as_a_whole(engine: Engine, app: str, expected: dict[str, bytes]) -> None:
    """Killed at the first file that is unlinked in a layer, nothing in layers/ is half there."""
    operation = Operation(engine.paths, verbs.drop_image, app)
    points = operation.survey()
    pull(engine, app)
    renamed = next(number for number, point in enumerate(points) if point.syscall.startswith("rename"))
    unlinking = next(point for point in points[renamed:] if point.syscall.startswith("unlink"))
    assert operation.kill_at(unlinking).killed
    store = LayerStore(engine.paths)
    assert [name for name in store.names() if not store.verify(name)] == []
    assert stored(engine.paths)["trash"]
    collect_garbage(engine)
    assert not any(stored(engine.paths).values())


def test_r4_only_what_nobody_holds_is_swept(engine: Engine) -> None:
    collect_garbage(engine)
    with LayerStore(engine.paths).stage("sha256:" + "a" * 64) as held:
        abandoned = pathlib.Path(engine.paths.staging, "b" * 64 + ".0123456789abcdef")
        forgotten = pathlib.Path(engine.paths.trash, "anything")
        for place in (abandoned, forgotten):
            (place / "diff" / "dir").mkdir(parents=True)
            (place / "diff" / "dir" / "file").touch()
        collect_garbage(engine)
        assert not abandoned.exists()
        assert not forgotten.exists()
        assert os.path.isdir(held.directory)


# R5: locks are the kernel's, bounded, and nobody's inheritance


def test_r5_a_held_lock_is_a_sentence_and_a_killed_holder_holds_nothing(harbour: Harbour) -> None:
    record = harbour.create("web", *SLEEP)
    name = f"container-{record.id}"
    held = "load('linux.locks').lock(engine.paths, arguments[0])"
    hold = f"import time\nwith {held}:\n    print(flush=True)\n    time.sleep(1000)"
    with subprocess.Popen(harbour.python(hold, name), stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with (
            pytest.raises(TimedOut, match=f"held by process {holder.pid} "),
            lock(harbour.paths, name, timeout=0.05),
        ):
            pass
        holder.kill()
    with lock(harbour.paths, name, timeout=0):
        pass


def test_r5_conmon_and_the_container_hold_no_lock(harbour: Harbour) -> None:
    record = harbour.start("web", *SLEEP)
    pids = [*cgroups.processes(harbour.paths.cgroup_parent)]
    assert len(pids) >= 2
    for pid in pids:
        open_files = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert not any(file.startswith((harbour.paths.locks, harbour.paths.database)) for file in open_files)
    with lock(harbour.paths, f"container-{record.id}", timeout=0):
        pass


# R6: another boot id, or another start time, is another process


def test_r6_after_a_reboot_nothing_is_believed_to_run(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP)
    assert harbour.status("web").status == "running"
    with harbour.engine.database.transaction() as transaction:
        transaction.execute("UPDATE containers SET state = json_set(state, '$.run.boot_id', 'another')")
    status = harbour.status("web")
    assert (status.status, status.error) == ("exited", "the host was restarted")


def test_r6_the_same_number_is_not_the_same_process() -> None:
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        former = identity(stranger.pid)
        assert former is not None
        assert not signal_process(former._replace(start_time=former.start_time - 1), signal.SIGKILL)
        assert stranger.poll() is None
        stranger.kill()


# R7: removal succeeds from every state


def _kill(harbour: Harbour, *which: str) -> None:
    run = harbour.record("web").state.run
    assert run is not None
    for name in which:
        process = getattr(run, name)
        signal_process(process, signal.SIGKILL)


def _lose_the_root(harbour: Harbour) -> None:
    mounts.unmount_below(harbour.paths.container(harbour.record("web").id))


def _lose_the_directory(harbour: Harbour) -> None:
    _lose_the_root(harbour)
    remove_tree(harbour.paths.container(harbour.record("web").id))


def _lose_the_run_directory(harbour: Harbour) -> None:
    remove_tree(harbour.paths.container_run(harbour.record("web").id))


def _lose_the_state_of_the_runtime(harbour: Harbour) -> None:
    remove_tree(harbour.paths.oci_runtime)


def _lose_the_control_groups(harbour: Harbour) -> None:
    _kill(harbour, "conmon", "init")
    group = f"{harbour.paths.cgroup_parent}/{harbour.record('web').id}"
    wait_until(lambda: cgroups.processes(group), lambda pids: not pids)
    cgroups.remove(group)


@pytest.mark.parametrize(
    "state",
    [
        lambda harbour: harbour.create("web", *SLEEP),
        lambda harbour: (harbour.create("web", *SLEEP), prepare_container(harbour.engine, "web")),
        lambda harbour: harbour.start("web", *SLEEP),
        lambda harbour: (harbour.start("web", *SLEEP), pause_container(harbour.engine, "web")),
        lambda harbour: (harbour.start("web", "true"), harbour.settled("web")),
    ],
    ids=["created", "prepared", "running", "paused", "exited"],
)
def test_r7_removed_from_every_state(harbour: Harbour, state: t.Callable[[Harbour], object]) -> None:
    state(harbour)
    remove_container(harbour.engine, "web")
    assert not harbour.exists("web")


@pytest.mark.parametrize(
    "damage",
    [
        lambda harbour: _kill(harbour, "conmon"),
        lambda harbour: _kill(harbour, "init"),
        lambda harbour: _kill(harbour, "conmon", "init"),
        _lose_the_root,
        _lose_the_directory,
        _lose_the_run_directory,
        _lose_the_state_of_the_runtime,
        _lose_the_control_groups,
    ],
)
def test_r7_removed_whatever_was_lost(harbour: Harbour, damage: t.Callable[[Harbour], object]) -> None:
    harbour.start("web", *SLEEP)
    damage(harbour)
    remove_container(harbour.engine, "web")
    assert not harbour.exists("web")


# R8: a part of the disk stays free; what did not fit leaves nothing


def test_r8_a_disk_that_is_too_small_is_said_and_left_as_it_was(engine: Engine, app: str) -> None:
    directory = pathlib.Path(engine.paths.root).parent
    with Disk(directory, megabytes=16) as disk, open_engine(*disk.paths) as small:
        assert list_images(small.database.read()) == []
        fill(disk.mount_point, 0.97)
        with pytest.raises(StorageError, match=r"not enough space in .*free some space"):
            pull(small, app)
        assert not any(stored(disk.paths).values())
        assert list_images(small.database.read()) == []


def fill(place: pathlib.Path, share: float) -> None:
    found = os.statvfs(place)
    size = int(found.f_frsize * (found.f_bavail - (1 - share) * found.f_blocks))
    with open(place / "ballast", "wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, size)


# R9: what is about to be needed is not collected


def test_r9_garbage_collection_takes_nothing_from_a_pull(
    engine: Engine, app: str, expected: dict[str, bytes]
) -> None:
    ended = threading.Event()

    def collect() -> None:
        with open_engine(*engine.paths) as other:
            while not ended.is_set():
                collect_garbage(other, wait=0.01)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for _round in range(8):
            verbs.drop_image(engine, app)
            pull(engine, app)
            assert_intact(engine, app, expected)
    finally:
        ended.set()
        collector.join()


# R10: metadata are written beside, with their mode, synced, renamed, and the directory synced


def test_r10_the_order_of_a_write(engine_roots: Paths) -> None:
    survey = Operation(engine_roots, verbs.write_file, "file", "text").survey()
    order = [point.syscall for point in survey][-4:]
    assert order == ["fchmod", "fsync", "rename", "fsync"]


# R11: what cannot be read is said, and is not guessed


GARBAGE = ["", "{", "null", "[]", '{"run": 7}', "\0\0\0"]


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("column", ["config", "state"])
@pytest.mark.parametrize("running", [False, True])
def test_r11_a_damaged_container_is_said_and_can_be_removed(
    harbour: Harbour, running: bool, column: str, garbage: str
) -> None:
    record = harbour.create("web", *SLEEP)
    if running:
        harbour.start("web")
    with harbour.engine.database.transaction() as transaction:
        transaction.execute(f"UPDATE containers SET {column} = ? WHERE id = ?", (garbage, record.id))
    with pytest.raises(StateError, match=r"the record of container web in .* is damaged.*state: absent"):
        find_container(harbour.engine.database, "web")
    sight = Sight(harbour.engine)
    with pytest.raises(StateError, match=r"record of container web .*state: absent"):
        plan_container(sight, ContainerConfig(), Request("web", state="stopped"))
    plan_container(sight, ContainerConfig(), Request("web", state="absent")).plan.execute(harbour.engine)
    assert not harbour.exists("web")


def test_r11_a_damaged_container_does_not_keep_the_others_down(harbour: Harbour) -> None:
    for name in ("first", "second"):
        harbour.start(name, *SLEEP, restart_policy="always", stop_timeout=0)
    shut_down_containers(harbour.engine)
    with harbour.engine.database.transaction() as transaction:
        transaction.execute("UPDATE containers SET state = 'x' WHERE name = 'first'")
    with pytest.raises(CleanupFailed, match=r"the record of container first in .* is damaged"):
        restore_containers(harbour.engine)
    assert harbour.status("second").status == "running"
    remove_container(harbour.engine, "first")


@pytest.mark.parametrize("garbage", [text for text in GARBAGE if text != '{"run": 7}'])
def test_r11_a_damaged_image_is_said_and_can_be_removed(
    engine: Engine, app: str, expected: object, garbage: str
) -> None:
    with engine.database.transaction() as transaction:
        transaction.execute("UPDATE images SET record = ?", (garbage,))
    with pytest.raises(StateError, match="damaged"):
        find(engine, app)
    with contextlib.suppress(CoracleError):
        collect_garbage(engine)
    assert stored(engine.paths)["layers"], "what an unreadable image needs is unknown: nothing may go"
    verbs.drop_image(engine, app)
    assert not any(stored(engine.paths).values())


# R12: the task may die at any point, and its session and scope with it


def test_r12_a_container_outlives_the_session_that_started_it(harbour: Harbour) -> None:
    harbour.create("web", *SLEEP)
    code = "verb('start_container')(engine, 'web')\nprint(flush=True)\n__import__('time').sleep(1000)"
    with subprocess.Popen(harbour.python(code), stdout=subprocess.PIPE, start_new_session=True) as task:
        assert task.stdout is not None
        task.stdout.readline()
        os.killpg(task.pid, signal.SIGKILL)
        assert task.stdout.read() == b""  # nobody that we left behind has our pipe
    assert harbour.status("web").status == "running"
    run = harbour.record("web").state.run
    assert run is not None
    assert run.conmon is not None
    conmon = run.conmon.pid
    assert os.getsid(conmon) == conmon
    groups = {
        line.split(":", 2)[2] for line in pathlib.Path(f"/proc/{conmon}/cgroup").read_text().splitlines()
    }
    assert groups - {"/"} == {f"/{harbour.paths.cgroup_parent}/conmon"}
