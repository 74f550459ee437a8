# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Well-known Compose files on a host: planned, done, and nothing to do after that. Their programs are shell
scripts; names, networks, volumes, health checks and everything else are as the files say.
"""

from __future__ import annotations

import io
import json
import pathlib
import shutil
import tarfile
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.import_rootfs import (
    import_rootfs,
    read_rootfs,
)
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target, Task
from ansible_collections.coracle.engine.tests.stacks.stacks import HERE, STACKS, VARIABLES, converted

STAYS = "trap 'exit 0' TERM INT; sleep 1000 & wait"
PROGRAMS = ("curl", "mc", "mysqladmin", "pg_isready")
FILES = ("Caddyfile", "nginx.conf")
"""Of the target, which the stacks mount."""


@pytest.fixture
def srv(tmp_path: pathlib.Path) -> pathlib.Path:
    """The directory of the target that has the files of a stack."""
    for name in FILES:
        path = tmp_path / "srv" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "srv"


def take_in(target: Target, tar: pathlib.Path, names: t.Iterable[str]) -> None:
    """An image under these names, which stays whatever its command is, and whose health checks go well."""
    scripts = {f"bin/{name}": "echo green" for name in PROGRAMS}
    ours = target.work / "image.tar"
    shutil.copy(tar, ours)
    with tarfile.open(ours, "a") as file:
        for name, text in {**scripts, "cron.sh": STAYS}.items():
            content = f"#!/bin/sh\n{text}\n".encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            file.addfile(entry, io.BytesIO(content))
    config = ImageConfig(architecture="amd64", entrypoint=["/bin/sh", "-c", STAYS, "--"])
    with Engine(target.paths) as engine:
        references = [parse_reference(name) for name in sorted(set(names))]
        import_rootfs(engine, read_rootfs(engine, str(ours), config), references)


def containers(target: Target, check: bool = False, **options: t.Any) -> Task:
    return target._task("coracle.engine.containers", check, True, options)


@pytest.mark.slow
@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_converges(
    stack: str, target: Target, busybox_rootfs_tar: pathlib.Path, srv: pathlib.Path
) -> None:
    declared = converted(stack, str(srv))
    take_in(target, busybox_rootfs_tar, [each["image"] for each in declared.containers])
    options = {
        "compose_file": str(HERE / f"{stack}.yml"),
        "compose_directory": str(srv),
        "compose_environment": VARIABLES.get(stack, {}),
        "purge": True,
    }
    planned, done, again, again_planned, seen, gone = target.run(
        containers(target, check=True, **options),
        containers(target, **options),
        containers(target, **options),
        containers(target, check=True, **options),
        target.info(),
        containers(target, state="absent", **options),
    )
    told = [result.get("msg") for result in (planned, done, again, again_planned, gone)]
    assert told == [None] * 5
    assert "hunter2" not in json.dumps([planned, done, again, again_planned, seen, gone])
    for key in ("changed", "actions", "results", "diff"):
        assert planned[key] == done[key]
        assert again[key] == again_planned[key]
    assert done["changed"]
    assert gone["changed"]
    assert (again["changed"], again["actions"]) == (False, [])
    running = {each["Name"][1:]: each["State"]["Status"] for each in seen["containers"]}
    assert set(running) == {result["name"] for result in done["results"]}
    assert set(running.values()) <= {"running", "exited"}
    assert [name for name, status in running.items() if status == "exited"] == (
        ["stacks-buckets-1"] if stack == "minio" else []
    )
    target.run(*(target.volume(name=each["name"], state="absent") for each in declared.volumes))


def test_services_find_each_other(target: Target, busybox_rootfs_tar: pathlib.Path) -> None:
    """By the names of services and aliases, and nothing but them; inline, with a file of the playbook."""
    take_in(target, busybox_rootfs_tar, ["busybox"])
    (target.work / "web.env").write_text("FROM_FILE=${WORD}\n")
    compose: dict[str, t.Any] = {
        "name": "pair",
        "services": {
            "web": {"image": "busybox", "env_file": "web.env", "links": ["db:database"]},
            "db": {"image": "busybox", "networks": {"default": {"aliases": ["store"]}}},
        },
    }
    options = {"compose": compose, "compose_environment": {"WORD": "known"}}
    names = ["db", "store", "pair-db-1"]
    lookups: list[Task] = [
        target.exec(container="pair-web-1", argv=["nslookup", name]) for name in (*names, "nobody")
    ]
    done, again, *looked, environment, hosts, seen, gone = target.run(
        containers(target, **options),
        containers(target, **{**options, "compose": json.dumps(compose)}),
        *lookups,
        target.exec(container="pair-web-1", argv=["env"]),
        target.exec(container="pair-web-1", argv=["cat", "/etc/hosts"]),
        target.info(name="pair-db-1"),
        containers(target, state="absent", **options),
    )
    assert not done.get("failed"), done
    assert (again["changed"], gone.get("failed", False)) == (False, False)
    address = seen["containers"][0]["NetworkSettings"]["Networks"]["pair_default"]["IPAddress"]
    assert [address in result["stdout"] for result in looked] == [True] * 3 + [False], looked
    assert [line.split()[0] for line in hosts["stdout"].splitlines() if "database" in line] == [address]
    assert "FROM_FILE=known" in environment["stdout"].splitlines()


def test_what_is_wrong_is_said_at_once_and_nothing_is_done(target: Target, srv: pathlib.Path) -> None:
    services = {
        "web": {"build": ".", "deploy": {"placement": {}, "replicas": 3}},
        "db": {"image": "postgres"},
    }
    (srv / "compose.yml").write_text(json.dumps({"services": services}))

    def of_target(**options: t.Any) -> Task:
        return containers(target, compose_file=str(srv / "compose.yml"), remote_src=True, **options)

    results: list[Result] = target.run(
        containers(target, compose_file="nowhere.yml"),
        of_target(),
        containers(target, compose_file=str(srv / "nowhere.yml"), remote_src=True),
        target.info(),
    )
    nowhere, wrong, not_there, seen = (str(result.get("msg", result)) for result in results)
    assert "nowhere.yml" in nowhere
    assert "services.web.build: images are not built by this module (build the image first" in wrong
    assert "there is no file" in not_there
    assert results[3]["containers"] == [], seen
