# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Pruning while other processes work: what they need is never taken from them."""

from __future__ import annotations

import subprocess
import sys
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import list_containers
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import find_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.lease import leased
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.start_container import (
    start_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.prune import (
    PruneRequest,
    plan_prune,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.prune_filters import Filters
from ansible_collections.coracle.engine.tests.integration.container.harbour import _PRELUDE, _ROOT, Harbour
from ansible_collections.coracle.engine.tests.integration.image.images import NOTHING, stored
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target

EVERYTHING = PruneRequest(
    containers=Filters(),
    images=Filters(dangling=False),
    networks=Filters(),
    volumes=Filters(all=True),
    logs=Filters(),
)

# What a task does, with its steps far apart: bring the image, create, start, see the program, remove.
WORKER = """
import time
image, registry, name, times = arguments
reference = load("oci.reference").parse_reference(image)
options = load("registry.options").RegistryOptions(insecure_registries=(registry,))
config = load("container.config").ContainerConfig(
    image=image, command=["/bin/sh", "-c", "echo here > /data/file; sleep 1000"], network_mode="none",
    volumes=[{"type": "volume", "source": name, "target": "/data"}],
)
find_image = load("content.images").find_image
leased_container = load("operations.lease").leased_container
for round in range(int(times)):
    with leased_container(engine, [name], config):
        if find_image(engine.records, reference) is None:
            verb("pull_image")(engine, reference, options)
        time.sleep(0.02)
        found = find_image(engine.records, reference)
        assert found is not None, "the image is gone"
        verb("create_container")(engine, name, config, found, image)
        time.sleep(0.02)
        verb("start_container")(engine, name)
    assert engine.records.read().one("SELECT 1 FROM containers WHERE name = ?", (name,))
    verb("remove_container")(engine, name, force=True)
"""

PRUNER = """
import signal
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(True))
Filters = load("reconcile.prune_filters").Filters
prune = load("reconcile.prune")
request = prune.PruneRequest(containers=Filters(), images=Filters(dangling=False), networks=Filters(),
                             volumes=Filters(all=True), logs=Filters())
print("ready", flush=True)
pruned = {}
while not over:
    for kind, entries in prune.plan_prune(engine, request).execute(engine).entries.items():
        pruned[kind] = pruned.get(kind, 0) + len(entries)
    engine.take_warnings()
print(pruned["images"], pruned["volumes"], flush=True)
"""


ONE_PRUNING = """
Filters = load("reconcile.prune_filters").Filters
prune = load("reconcile.prune")
request = prune.PruneRequest(containers=Filters(), images=Filters(dangling=False))
pruned = prune.plan_prune(engine, request).execute(engine)
print([step.describe() for step in pruned.steps])
print(*pruned.warnings, sep="\\n")
"""


def process(target: Target, code: str, *arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", _PRELUDE + code, str(_ROOT), *target.paths, *arguments]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_tasks_and_prunings_in_a_loop(target: Target) -> None:
    """Two images come and go under three workers and two pruners; nobody meets anything that is gone."""
    pruners = [process(target, PRUNER) for _number in range(2)]
    for pruner in pruners:
        assert pruner.stdout is not None
        assert pruner.stdout.readline() == "ready\n"
    images = (target.image, target.image.replace(":1", ":2"), target.image)
    workers = [
        process(target, WORKER, image, target.registry, f"worker{number}", "8")
        for number, image in enumerate(images)
    ]
    answers = [worker.communicate(timeout=240) for worker in workers]
    pruned = []
    for pruner in pruners:
        pruner.terminate()
        out, err = pruner.communicate(timeout=60)
        assert (pruner.returncode, err) == (0, "")
        pruned.append([int(number) for number in out.split()])
    assert [(worker.returncode, err) for worker, (_out, err) in zip(workers, answers)] == [(0, "")] * 3
    assert sum(images for images, _volumes in pruned) > 2, "the pruners have hardly met the workers"
    with Engine(target.paths) as engine:
        plan_prune(engine, EVERYTHING).execute(engine)
        assert list_containers(engine.records) == []
    assert stored(target.paths) == NOTHING


def test_what_somebody_holds_stays(harbour: Harbour) -> None:
    harbour.create("web", "/bin/true")
    harbour.create("old", "/bin/true")
    with leased(harbour.engine, containers=["web"], images=[harbour.image.id]):
        done = harbour.run_python(ONE_PRUNING)
    assert done.stdout.splitlines() == [
        "['remove container old: it is created']",
        "prune container web: a task is working with it: it stays",
        f"prune image {harbour.image.id[:19]}: a task is working with it: it stays",
    ], done.stderr
    assert harbour.exists("web")
    assert not harbour.exists("old")


@pytest.mark.parametrize("way", ["started", "tagged", "used"])
def test_what_is_needed_since_the_plan_was_made_stays(harbour: Harbour, way: str) -> None:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.tag_image import tag_image

    engine = harbour.engine
    if way == "started":
        harbour.create("web", "/bin/sleep", "1000")
    planned = plan_prune(engine, EVERYTHING)
    if way == "started":
        start_container(engine, "web")
    elif way == "tagged":
        tag_image(engine, harbour.image.id, parse_reference("new:1"))
    else:
        harbour.create("web", "/bin/true")
    pruned = planned.execute(engine)
    assert pruned.entries["containers"] == pruned.entries["images"] == []
    assert find_image(engine.records, harbour.image.id) is not None
    reasons = {"started": "it is running", "tagged": "it has been named", "used": "it is used by web"}
    assert any(reasons[way] in warning for warning in pruned.warnings)


def test_a_replacement_under_way_is_left_alone(harbour: Harbour) -> None:
    """Its old container has ended, and may have to come back."""
    old = harbour.create("web", "/bin/true")
    with lock(harbour.paths, f"replacement-{old.id}"):
        planned = plan_prune(harbour.engine, PruneRequest(containers=Filters()))
        done = harbour.run_python(ONE_PRUNING)
    assert len(planned.steps) == 1
    assert "another task is working with it" in done.stdout, done.stderr
    assert harbour.exists("web")


def test_a_pull_under_way_is_left_alone(harbour: Harbour) -> None:
    """A download with a writer stays, and so does everything while somebody stores; the space follows."""
    blobs = BlobStore(harbour.paths)
    digest = "sha256:" + "ab" * 32
    with blobs.ingest(digest, 10) as ingest:
        ingest.write(b"begun")
        request = PruneRequest(images=Filters(dangling=False))
        pruned = plan_prune(harbour.engine, request).execute(harbour.engine)
        assert pruned.reclaimed["images"] > 0
        assert stored(harbour.paths)["ingest"] == ["ab" * 32]
        assert stored(harbour.paths)["layers"] == []
    pruned = plan_prune(harbour.engine, request).execute(harbour.engine)
    assert pruned.reclaimed["images"] == len(b"begun")


def test_who_carries_another_one_stays_with_it(harbour: Harbour) -> None:
    harbour.create("carrier", "/bin/true")
    harbour.create("rider", "/bin/true", network_mode="container:carrier", labels={"keep": "me"})
    kept = plan_prune(harbour.engine, PruneRequest(containers=Filters(not_labels=("keep",))))
    assert kept.steps == ()
    both = plan_prune(harbour.engine, PruneRequest(containers=Filters())).execute(harbour.engine)
    assert [step.describe() for step in both.steps] == [
        "remove container rider: it is created",
        "remove container carrier: it is created",
    ]


def test_a_container_that_was_to_remove_itself_takes_its_volumes(harbour: Harbour) -> None:
    volumes: list[dict[str, t.Any]] = [{"type": "volume", "source": "", "target": "/data"}]
    harbour.create("web", "/bin/true", auto_remove=True, volumes=volumes)
    planned = plan_prune(harbour.engine, PruneRequest(containers=Filters(), volumes=Filters()))
    pruned = planned.execute(harbour.engine)
    assert [step.kind for step in pruned.steps] == ["containers"]
    assert harbour.engine.records.read().all("SELECT name FROM volumes") == []


def test_a_damaged_record_is_told_and_left(harbour: Harbour) -> None:
    harbour.create("web", "/bin/true")
    with harbour.engine.database.transaction() as transaction:
        transaction.execute("UPDATE containers SET config = '{'")
    pruned = plan_prune(harbour.engine, EVERYTHING).execute(harbour.engine)
    assert pruned.steps == ()
    assert "the record of container web in state.db is damaged" in pruned.warnings[0]
    remove_container(harbour.engine, "web")
