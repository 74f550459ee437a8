# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Whatever is broken is found, told in a sentence, mended, and not found again."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import (
    cgroup_of,
    living_processes,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import LayerStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.processes import (
    signal_process,
    wait_until_gone,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.check_store import (
    check_store,
    repair_store,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_volume import (
    create_volume,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.mounted_root import (
    mount_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour
from ansible_collections.coracle.engine.tests.integration.image.images import (
    IMPATIENT,
    assert_whole,
    find,
    pull,
)
from ansible_collections.coracle.engine.tests.integration.registry.hostile import Site


def problems(engine: Engine, **options: t.Any) -> list[str]:
    return [finding.problem for finding in check_store(engine, **options)]


def mend(engine: Engine, **options: t.Any) -> list[str]:
    """What was mended; that is all that was found, and it is not found again."""
    expected = problems(engine, **options)
    checked = list(repair_store(engine, **options))
    assert [one.error for one in checked if not one.mended] == []
    assert [one.finding.problem for one in checked] == expected
    assert problems(engine, **options) == []
    return expected


@contextlib.contextmanager
def held(paths: Paths, name: str, **options: t.Any) -> t.Iterator[None]:
    """A lock, in the hands of somebody else."""
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock(paths, name, **options):
            taken.set()
            over.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_an_engine_that_was_never_used(engine_roots: Paths) -> None:
    with Engine(engine_roots) as engine:
        assert problems(engine) == []
    assert not os.path.exists(engine_roots.root)


def test_a_whole_engine(engine: Engine, app: str) -> None:
    pull(engine, app)
    assert problems(engine, content=True) == []


# Images


def test_layers_and_blobs_come_back(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    store, blobs = LayerStore(engine.paths), BlobStore(engine.paths)
    shutil.rmtree(os.path.dirname(store.path(record.directories[0])))
    os.unlink(blobs.path(record.layers[1].digest))
    os.unlink(blobs.path(record.manifest_digest))
    with open(blobs.path(record.id), "r+b") as file:
        file.write(b"#")
    assert mend(engine, options=IMPATIENT) == [
        f"image {app}: 3 of its blobs are missing or damaged",
        f"image {app}: layer {record.directories[0][:12]} is missing or damaged",
    ]
    assert_whole(engine, record)
    assert find(engine, app) == record


def test_only_a_look_at_the_content_finds_what_is_wrong_in_it(engine: Engine, site: Site, app: str) -> None:
    record = pull(engine, app).record
    blob = pathlib.Path(BlobStore(engine.paths).path(record.layers[0].digest))
    damaged = bytearray(blob.read_bytes())
    damaged[-1] ^= 1
    blob.write_bytes(damaged)
    for directory, _names, files in os.walk(LayerStore(engine.paths).path(record.directories[1])):
        for name in files:
            os.unlink(os.path.join(directory, name))
    assert problems(engine) == []
    found = mend(engine, content=True, options=IMPATIENT)
    assert [problem.partition(": ")[2].partition(" ")[0] for problem in found] == ["blob", "layer"]
    assert_whole(engine, record)


def test_what_came_from_no_registry_cannot_come_again(harbour: Harbour) -> None:
    checked = list(repair_store(harbour.engine))  # that image has neither blobs nor a registry
    assert [one.mended for one in checked] == [False]
    assert checked[0].error.endswith("it came from no registry (load the image again)")


def test_what_belongs_to_no_image(engine: Engine, app: str) -> None:
    pull(engine, app)
    BlobStore(engine.paths).put(b"nobody's")
    os.makedirs(os.path.join(engine.paths.trash, "x"))
    os.makedirs(os.path.join(engine.paths.staging, f"{'a' * 64}.1"))
    assert mend(engine) == [
        "8 bytes of layers and blobs belong to no image; "
        "unfinished or discarded trees are left of work that was cut off: 2",
    ]


def test_a_pull_under_way_is_no_garbage(engine: Engine, app: str) -> None:
    pull(engine, app)
    BlobStore(engine.paths).put(b"somebody's")
    with held(engine.paths, "content", shared=True):
        assert problems(engine) == []


# Containers. The image of the harbour has no blobs, which is the one other problem there is.


def of_containers(harbour: Harbour) -> list[str]:
    return [problem for problem in problems(harbour.engine) if not problem.startswith("image ")]


def mend_containers(harbour: Harbour) -> list[str]:
    found = of_containers(harbour)
    for one in repair_store(harbour.engine):
        assert one.mended or one.finding.problem.startswith("image "), one
    assert of_containers(harbour) == []
    return found


def test_containers_at_work_are_no_problem(harbour: Harbour) -> None:
    harbour.start("web", "/bin/sleep", "1000")
    harbour.create("idle", "/bin/true")
    assert of_containers(harbour) == []


def test_a_killed_conmon(harbour: Harbour) -> None:
    record = harbour.start("web", "/bin/sleep", "1000")
    conmon = living_processes(harbour.paths, harbour.record("web")).conmon
    assert conmon is not None
    signal_process(conmon, signal.SIGKILL)
    assert wait_until_gone(conmon, 30)
    assert mend_containers(harbour) == ["container web: its conmon was killed, nobody would see it end"]
    assert harbour.status("web").status == "exited"
    assert record.id == harbour.record("web").id


def test_a_removal_that_was_cut_off(harbour: Harbour) -> None:
    record = harbour.create("web", "/bin/true")
    with harbour.engine.database.transaction() as transaction:
        transaction.execute('UPDATE containers SET state = \'{"phase": "removing"}\'')
    assert mend_containers(harbour) == ["container web: its removal was cut off"]
    assert not harbour.exists("web")
    assert not os.path.exists(harbour.paths.container(record.id))


def test_traces_of_a_run_that_there_is_not(harbour: Harbour) -> None:
    record = harbour.create("web", "/bin/true")
    mount_container(harbour.engine, record)
    os.makedirs(harbour.paths.container_run(record.id))
    assert mend_containers(harbour) == [
        "container web: it does not run, and there is still a run directory and a mounted root file system"
    ]
    assert mounts.mounts_below(harbour.paths.root) == []


def test_whoever_works_with_a_container_is_not_disturbed(harbour: Harbour) -> None:
    record = harbour.create("web", "/bin/true")
    os.makedirs(harbour.paths.container_run(record.id))
    with held(harbour.paths, f"container-{record.id}"):
        assert of_containers(harbour) == []
    assert len(mend_containers(harbour)) == 1


def test_what_is_left_of_a_container_that_is_gone(harbour: Harbour) -> None:
    """A process in its control group, its mount, its directories, but no row."""
    record = harbour.start("web", "/bin/sleep", "1000")
    group = cgroup_of(harbour.paths, record.id)
    with harbour.engine.database.transaction() as transaction:
        transaction.execute("DELETE FROM containers")
    assert cgroups.processes(group)
    [found] = mend_containers(harbour)
    assert found.endswith(f"of container {record.id[:12]}, which is gone")
    assert "a control group" in found
    assert cgroups.processes(group) == []
    assert not os.path.exists(harbour.paths.container(record.id))


# Volumes


def test_volumes(harbour: Harbour) -> None:
    create_volume(harbour.engine, "lost", {}, {})
    create_volume(harbour.engine, "mounted", {}, {"type": "tmpfs", "device": "tmpfs", "o": ""})
    shutil.rmtree(os.path.join(harbour.paths.volumes, "lost"))
    data = os.path.join(harbour.paths.volumes, "mounted", "_data")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", data], check=True)
    assert mend_containers(harbour) == [
        "volume lost has lost its directory, and what was in it: it gets an empty one",
        "volume mounted is mounted, and no container runs with it",
    ]
    stray = pathlib.Path(harbour.paths.volumes, "stray", "_data")
    stray.mkdir(parents=True)
    (stray / "file").touch()
    assert of_containers(harbour) == [f"{stray.parent} has files, and is no volume"]
    create_volume(harbour.engine, "stray", {}, {})
    assert of_containers(harbour) == []


# The state file


def test_references_and_records(harbour: Harbour) -> None:
    harbour.create("web", "/bin/true")
    create_volume(harbour.engine, "data", {}, {})
    with harbour.engine.database.transaction() as transaction:
        transaction.execute("UPDATE containers SET config = '{'")
        transaction.execute("UPDATE volumes SET record = '{'")
    found = of_containers(harbour)
    assert [problem.partition(" in state.db")[0] for problem in found] == [
        "the record of container web",
        "the record of volume data",
    ]
    remove_container(harbour.engine, "web")


def test_a_damaged_page(engine_roots: Paths) -> None:
    with Engine(engine_roots) as engine, engine.database.transaction() as transaction:
        for number in range(500):
            transaction.execute(
                "INSERT INTO volumes (name, record, created) VALUES (?, '{}', '')", (f"v{number}",)
            )
    size = os.path.getsize(engine_roots.database)
    with open(engine_roots.database, "r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 4096)
    with Engine(engine_roots) as engine:
        found = list(check_store(engine))
    assert found
    assert [finding for finding in found if finding.mend is not None] == []
    assert "restore it from a backup" in found[0].describe()


@pytest.mark.parametrize("seed", range(3))
def test_a_task_that_was_killed(harbour: Harbour, seed: int) -> None:
    """SIGKILL somewhere in create, start and remove; afterwards nothing is wrong that cannot be mended."""
    code = """
config = load("container.config").ContainerConfig(command=["/bin/sleep", "1000"], network_mode="none")
image = load("content.images").list_images(engine.records.read())[0]
print("begin", flush=True)
while True:
    verb("create_container")(engine, "web", config, image, "busybox:1")
    verb("start_container")(engine, "web")
    verb("remove_container")(engine, "web")
"""
    with subprocess.Popen(harbour.python(code), stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        try:
            worker.wait(0.15 + seed * 0.11)
        except subprocess.TimeoutExpired:
            worker.kill()
    mend_containers(harbour)
