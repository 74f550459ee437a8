# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tasks through a real Ansible: check → do → again → again in check, with every source."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.image.images import NOTHING, stored
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target, Task
from ansible_collections.coracle.engine.tests.integration.registries import (
    Image,
    build_image,
    run,
    running_registry,
)

DIGEST_OF_NOTHING = "sha256:" + "0" * 64


class ImageTarget(Target):
    def image_task(self, check: bool = False, diff: bool = False, **options: t.Any) -> Task:
        return self._task("coracle.engine.image", check, diff, {"registry_retries": 0, **options})

    def info_task(self, *names: str) -> Task:
        return self._task("coracle.engine.image_info", False, False, {"name": list(names)} if names else {})

    def four_times(self, **options: t.Any) -> list[Result]:
        """check → do → again → again in check: the first two change and say the same, the others do not."""
        results = self.run(
            self.image_task(check=True, diff=True, **options),
            self.image_task(diff=True, **options),
            self.image_task(**options),
            self.image_task(check=True, diff=True, **options),
        )
        assert [result.get("msg") for result in results if result.get("failed")] == []
        assert [result["changed"] for result in results] == [True, True, False, False]
        assert results[0]["actions"] == results[1]["actions"] != []
        assert results[0]["diff"] == results[1]["diff"]
        assert results[2]["actions"] == results[3]["actions"] == []
        assert results[3]["diff"] == {"before": {}, "after": {}}
        assert results[2]["image"] == results[1]["image"] == results[3]["image"]
        return results

    def failures(self, *options: dict[str, t.Any]) -> list[str]:
        """The sentences with which tasks fail, the same in check mode and without. Nothing has changed."""
        before = stored(self.paths)
        check = self.run(*(self.image_task(check=True, **some) for some in options))
        done = self.run(*(self.image_task(**some) for some in options))
        assert [result.get("failed") for result in check + done] == [True] * 2 * len(options), check + done
        assert [result["msg"] for result in check] == [result["msg"] for result in done]
        assert stored(self.paths) == before
        return [result["msg"] for result in done]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[str, Image]]:
    """`<host>/app:1` and `:2` in a registry that wants a password, and the first of them as a layout."""
    work = tmp_path_factory.mktemp("registry")
    first = build_image(work / "first", [{"a": b"1"}], config=["--config.cmd", "/a"])
    second = build_image(work / "second", [{"a": b"1"}, {"b": b"2"}])
    with running_registry(work / "registry", users={"ann": "s3cret-s3cret"}) as registry:
        registry.push(first, "app:1")
        registry.push(second, "app:2")
        registry.push(first, "app:moving")
        yield registry.host, first


@pytest.fixture
def target(engine_roots: Paths, tmp_path: pathlib.Path, shared: tuple[str, Image]) -> ImageTarget:
    return ImageTarget(engine_roots, tmp_path, f"{shared[0]}/app:1", shared[0])


def retag(source: str, target: str) -> None:
    login = "ann:s3cret-s3cret"
    options = [
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        "--src-creds",
        login,
        "--dest-creds",
        login,
    ]
    run(["skopeo", "copy", "--quiet", *options, f"docker://{source}", f"docker://{target}"])


LOGIN = {"username": "ann", "password": "s3cret-s3cret"}


@pytest.mark.smoke
def test_pull(target: ImageTarget) -> None:
    check, done, again, _check = target.four_times(name=target.image, tags=["web:current"], **LOGIN)
    assert check["actions"] == [
        f"pull image {target.image}: it is not here",
        f"tag image {target.image} as web:current: it is to follow",
    ]
    assert check["image"] == {}
    assert done["image"]["RepoTags"] == [target.image, "web:current"]
    assert done["image"]["Config"]["Cmd"] == ["/a"]
    assert (done["pull"]["layers"], done["pull"]["reused"]) == (1, 0)
    assert done["pull"]["bytes"] > 0
    assert again["pull"] == {"bytes": 0, "layers": 0, "reused": 0, "seconds": 0.0}
    assert done["diff"]["before"] == {"digest": None}
    assert done["diff"]["after"]["digest"].startswith("sha256:")


def test_a_password_is_shown_nowhere(target: ImageTarget) -> None:
    results = target.run(
        target.image_task(name=target.image, **LOGIN),
        target.image_task(name=target.image, pull="always", username="ann", password="wrong-wrong-wrong"),
    )
    assert "s3cret" not in str(results)
    assert "wrong-wrong" not in str(results)
    assert "ann" in results[1]["msg"]
    for directory, _names, files in os.walk(target.paths.root):
        for file in files:
            assert b"s3cret" not in pathlib.Path(directory, file).read_bytes()


def test_pull_always_follows_a_tag_that_moves(target: ImageTarget, shared: tuple[str, Image]) -> None:
    moving = f"{shared[0]}/app:moving"
    first = target.run(target.image_task(name=moving, **LOGIN))[0]
    retag(f"{shared[0]}/app:2", moving)
    assert not target.run(target.image_task(name=moving, **LOGIN))[0]["changed"]
    check, done, _again, _check = target.four_times(name=moving, pull="always", tags=["web:1"], **LOGIN)
    assert f"{moving} is now sha256:" in check["actions"][0]
    assert check["image"]["Id"] == first["image"]["Id"] != done["image"]["Id"]
    assert (done["pull"]["layers"], done["pull"]["reused"]) == (1, 1)
    assert done["differences"][0]["field"] == "digest"
    assert done["image"]["RepoTags"] == [moving, "web:1"]


def test_archive(target: ImageTarget, shared: tuple[str, Image], work: pathlib.Path) -> None:
    run(["skopeo", "copy", "--quiet", shared[1].source, f"docker-archive:{work}/app.tar:evil/name:1"])
    check, done, _again, _check = target.four_times(
        name="app:1", source="archive", path=f"{work}/app.tar", tags=["other:1"]
    )
    assert check["actions"][0].endswith(f"from {work}/app.tar: it is not here")
    assert done["image"]["RepoTags"] == ["app:1", "other:1"]
    assert done["image"]["RepoDigests"] == []
    unnamed = target.run(target.image_task(source="archive", path=str(shared[1].layout)))[0]
    assert not unnamed["changed"]
    assert unnamed["image"]["Id"] == done["image"]["Id"]


def test_rootfs(target: ImageTarget, busybox_rootfs_tar: pathlib.Path) -> None:
    options = {
        "name": "busybox:local",
        "source": "rootfs",
        "path": str(busybox_rootfs_tar),
        "cmd": "/bin/httpd -f -p 80",
        "entrypoint": ["/bin/env"],
        "env": {"PATH": "/bin", "A": "b=c"},
        "labels": {"role": "web"},
        "user": "app",
        "working_dir": "/www/",
        "exposed_ports": ["80", "8000-8001/udp"],
        "volumes": ["/data/"],
        "stop_signal": "int",
    }
    _check, done, _again, _check_again = target.four_times(**options)
    config = done["image"]["Config"]
    assert config == {
        "User": "app",
        "Env": ["A=b=c", "PATH=/bin"],
        "Cmd": ["/bin/httpd", "-f", "-p", "80"],
        "Entrypoint": ["/bin/env"],
        "WorkingDir": "/www",
        "Labels": {"role": "web"},
        "ExposedPorts": {"80/tcp": {}, "8000/udp": {}, "8001/udp": {}},
        "Volumes": {"/data": {}},
        "StopSignal": "SIGINT",
    }
    [changed] = target.run(target.image_task(**{**options, "env": {"PATH": "/bin"}}))
    assert changed["changed"]
    assert changed["pull"]["reused"] == 1
    assert changed["image"]["Id"] != done["image"]["Id"]


def test_absent(target: ImageTarget) -> None:
    target.run(target.image_task(name=target.image, tags=["web:1"], **LOGIN))
    results = target.run(
        target.image_task(name="web:1", state="absent", check=True),
        target.image_task(name="web:1", state="absent"),
        target.image_task(name=target.image, state="absent", check=True),
        target.image_task(name=target.image, state="absent", diff=True),
        target.image_task(name=target.image, state="absent"),
        target.image_task(name=DIGEST_OF_NOTHING, state="absent"),
    )
    assert [result["changed"] for result in results] == [True, True, True, True, False, False]
    assert results[1]["actions"] == ["remove the name web:1: the image stays"]
    assert results[2]["actions"] == results[3]["actions"] == [f"remove image {target.image}"]
    assert [one["how"] for one in results[3]["differences"]] == ["remove"]
    assert results[3]["diff"] == {"before": {"exists": True}, "after": {"exists": False}}
    assert results[2]["freed"] == results[3]["freed"] > 0
    assert [results[number]["freed"] for number in (0, 1, 4, 5)] == [0, 0, 0, 0]
    assert results[3]["image"] == {}
    assert stored(target.paths) == NOTHING


def test_repair(target: ImageTarget) -> None:
    target.run(target.image_task(name=target.image, **LOGIN))
    [layer] = stored(target.paths)["layers"]
    os.unlink(os.path.join(target.paths.layers, layer, "layer.json"))
    check, done, _again, _check = target.four_times(name=target.image)
    assert check["actions"] == [f"repair image {target.image}: one of its layers is damaged"]
    assert done["pull"]["bytes"] == 0, "the blob was here"
    os.unlink(os.path.join(target.paths.layers, layer, "diff", "a"))
    assert not target.run(target.image_task(name=target.image))[0]["changed"]
    target.four_times(name=target.image, pull="always", **LOGIN)


def test_info(target: ImageTarget) -> None:
    target.run(target.image_task(name=target.image, **LOGIN))
    everything, some, none = target.run(
        target.info_task(),
        target.info_task(target.image, "nothing:1", target.image),
        target.info_task("nothing"),
    )
    assert [image["RepoTags"] for image in everything["images"]] == [[target.image]]
    assert everything["missing"] == []
    assert some["images"] == everything["images"]
    assert some["missing"] == ["nothing:1"]
    assert (none["images"], none["missing"], none["changed"]) == ([], ["nothing"], False)


def test_looking_at_a_bare_host_leaves_it_bare(target: ImageTarget) -> None:
    results = target.run(
        target.info_task(),
        target.image_task(name=target.image, check=True, **LOGIN),
        target.image_task(name=target.image, state="absent"),
    )
    assert [result["msg"] for result in results if result.get("failed")] == []
    assert not os.path.exists(target.paths.root)
    assert not os.path.exists(target.paths.run_root)


BAD: tuple[tuple[dict[str, t.Any], str], ...] = (
    ({"name": "UPPER"}, "upper-case letters (write upper)"),
    ({"name": "x", "pull": "never"}, "image x:latest is not on this host, and pull is never"),
    ({"name": "a" * 64}, "no image with the id"),
    ({"name": "x", "source": "archive"}, "path"),
    ({"name": "x", "path": "/x.tar"}, "path is given, but the source is a registry"),
    (
        {"name": "x", "source": "archive", "path": "/nonexistent.tar"},
        "there is no such file or directory",
    ),
    ({"name": "x", "cmd": "a"}, "cmd cannot be given"),
    ({"name": "x", "tags": ["y@" + DIGEST_OF_NOTHING]}, "cannot be given to an image"),
    ({"name": "a" * 64, "source": "archive", "path": "/x"}, "cannot be given an id"),
    ({"name": "x", "platform": "windows/amd64"}, "cannot run here"),
    ({"name": "x", "username": "ann"}, "password"),
    ({"source": "rootfs", "path": "/etc", "exposed_ports": ["99999"]}, "'99999' is not a port"),
    ({"source": "rootfs", "path": "/etc", "stop_signal": "SIGFOO"}, "not a signal"),
    ({"source": "rootfs", "path": "/etc"}, "it is not a regular file"),
    ({}, "name"),
)


def test_bad_input_is_refused_with_a_sentence(target: ImageTarget) -> None:
    messages = target.failures(*(options for options, _message in BAD))
    assert [text for text, (_options, wanted) in zip(messages, BAD) if wanted not in text] == []


def test_a_registry_that_is_down(target: ImageTarget) -> None:
    [message] = target.failures({"name": "127.0.0.1:1/app:1"})
    assert message.startswith("look for 127.0.0.1:1/app:1: ")
