# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Images through the command: what Docker's users type, and what they read then."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pathlib
import re
import subprocess
import tarfile

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.mounts import mounts_below
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until
from ansible_collections.coracle.engine.tests.integration.module_container.conftest import registry
from ansible_collections.coracle.engine.tests.integration.registries import Registry

__all__ = ["registry"]


@pytest.fixture
def shore(engine_roots: Paths) -> Shore:
    """The command of an engine that has nothing yet."""
    return Shore(engine_roots)


def flags(registry: Registry) -> tuple[str, str]:
    return "--insecure-registry", registry.host


def test_pull_as_docker_tells_it(shore: Shore, registry: Registry) -> None:
    name = f"{registry.host}/busybox"
    first = shore("pull", *flags(registry), f"{name}:1").splitlines()
    assert first[0] == "1: Pulling from busybox"
    layer = first[1].partition(":")[0]
    assert re.fullmatch(r"[0-9a-f]{12}", layer)
    assert first[1:3] == [f"{layer}: Pulling fs layer", f"{layer}: Pull complete"]
    assert re.fullmatch(r"Digest: sha256:[0-9a-f]{64}", first[3])
    assert first[4:] == [f"Status: Downloaded newer image for {name}:1", f"{name}:1"]
    again = shore("pull", *flags(registry), f"{name}:1").splitlines()
    assert again[1] == f"{layer}: Already exists"
    assert again[3] == f"Status: Image is up to date for {name}:1"
    second = shore("pull", *flags(registry), f"{name}:2")
    assert f"{layer}: Already exists" in second
    assert second.count("Pull complete") == 1
    assert shore("pull", "-q", *flags(registry), f"{name}:2") == f"{name}:2\n"
    assert shore.json("pull", *flags(registry), f"{name}:2")["layers"] == 0
    missing = shore.run("pull", *flags(registry), name)
    assert missing.out.splitlines()[0] == "Using default tag: latest"
    assert (missing.code, missing.err.startswith("Error: pull ")) == (1, True)


def test_a_pull_on_a_terminal_has_bars(shore: Shore, registry: Registry) -> None:
    with shore.at_terminal("pull", *flags(registry), f"{registry.host}/busybox:1") as terminal:
        terminal.wait_for("Pulling from busybox")
        terminal.wait_for("Status: Downloaded newer image")
        assert terminal.end() == 0
        assert re.search(r"Downloading  \[=*>? *\]  [\d.]+\w+/[\d.]+MB", terminal.text)
        assert "\033[1A\r\033[2K" in terminal.text


def test_images_and_their_names(coracle: Shore, harbour: Harbour) -> None:
    short = harbour.image.id[7:19]
    coracle("tag", "busybox:1", "registry.example.com/team/app:2")
    lines = coracle("images").splitlines()
    assert re.fullmatch(r"REPOSITORY +TAG +IMAGE ID +CREATED +SIZE", lines[0])
    rows = [re.split(r" {3,}", line) for line in lines[1:]]
    assert [row[:3] for row in rows] == [
        ["busybox", "1", short],
        ["busybox", "latest", short],
        ["registry.example.com/team/app", "2", short],
    ]
    assert coracle("images", "-q", "--no-trunc", "busybox:1") == f"{harbour.image.id}\n"
    assert (
        coracle("images", "--format", "{{.Repository}}:{{.Tag}}", "busybox") == "busybox:1\nbusybox:latest\n"
    )
    assert coracle("image", "ls", "--filter", "reference=*/team/*", "--format", "{{.Tag}}") == "2\n"
    assert coracle("images", "--filter", "dangling=true", "-q") == ""
    assert "DIGEST" in coracle("images", "--digests").splitlines()[0]
    assert coracle.json("images", "busybox:1")[0]["ID"] == short
    assert "invalid filter 'size'" in coracle.refused("images", "--filter", "size=1")
    history = coracle("history", "busybox:1").splitlines()
    assert history[0].startswith("IMAGE")
    assert history[1].startswith(short)


def test_names_go_one_by_one(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("web", "true")
    coracle("tag", "busybox:1", "extra:1")
    assert coracle("rmi", "extra:1", "busybox:latest") == "Untagged: extra:1\nUntagged: busybox:latest\n"
    refused = coracle.refused("rmi", "busybox:1")
    assert (
        'Error: conflict: unable to remove repository reference "busybox:1" (must force) - container'
        in refused
    )
    assert coracle("rmi", "-f", "busybox:1") == "Untagged: busybox:1\n"
    assert coracle("images", "--filter", "dangling=true", "-q") == f"{harbour.image.id[7:19]}\n"
    assert coracle.refused("rmi", "nothing") == "Error: No such image: nothing:latest\n"
    coracle("tag", harbour.image.id[7:12], "again:1")
    coracle("rm", "web")
    assert coracle("image", "rm", "again:1").splitlines() == [
        "Untagged: again:1",
        f"Deleted: {harbour.image.id}",
    ]


def test_what_a_container_needs_goes_by_force_at_most(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sleep", "1000")
    image, web = harbour.image.id[7:19], harbour.record("web").id[:12]
    problem = f"Error: conflict: unable to delete {image} (cannot be forced) - image is being used by running"
    for options in ([], ["-f"]):
        assert coracle.refused("rmi", *options, image) == f"{problem} container {web}\n"
    assert coracle("images", "-q").split() == [image, image]
    coracle("tag", "busybox:1", "other:1")
    assert "image is referenced in multiple repositories" in coracle.refused("rmi", image)
    coracle("rmi", "other:1")
    coracle("kill", "web")
    harbour.settled("web")
    assert f"(must be forced) - image is being used by stopped container {web}" in coracle.refused(
        "rmi", image
    )
    assert coracle("rmi", "-f", image) == "Untagged: busybox:1\nUntagged: busybox:latest\n"


def test_save_and_load(shore: Shore, registry: Registry, tmp_path: pathlib.Path) -> None:
    name = f"{registry.host}/busybox"
    for tag in ("1", "2"):
        shore("pull", "-q", *flags(registry), f"{name}:{tag}")
    shore("tag", f"{name}:1", "mine:one")
    shore("tag", f"{name}:1", "mine:other")
    archive = tmp_path / "images.tar"
    shore("save", "-o", str(archive), "mine:one", f"{name}:2")
    piped = subprocess.run([shore.program, "save", "mine"], capture_output=True, check=True).stdout
    assert list(tmp_path.iterdir()) == [archive]
    before = {row["Tag"]: row["ID"] for row in shore.json("images")}
    shore("rmi", "-f", "mine:one", "mine:other", f"{name}:1", f"{name}:2")
    assert shore.json("images") == []
    loaded = shore("load", "-i", str(archive)).splitlines()
    assert sorted(loaded) == sorted(["Loaded image: mine:one", f"Loaded image: {name}:2"])
    after = {row["Tag"]: row["ID"] for row in shore.json("images")}
    assert after == {"one": before["one"], "2": before["2"]}
    done = subprocess.run([shore.program, "load"], input=piped, capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == ["Loaded image: mine:one", "Loaded image: mine:other"]
    shore("tag", f"{name}:2", "mine:one")
    moved = shore("load", "-i", str(archive))
    assert "The image mine:one already exists, renaming the old one with ID" in moved
    refused = shore.run("load")
    assert refused.code == 1
    assert sorted(tmp_path.iterdir()) == [archive]


def test_what_is_saved_is_whole(
    shore: Shore, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """An image that shares its layers with one that brought them compressed otherwise."""
    packed = tmp_path / "rootfs.tar.gz"
    packed.write_bytes(gzip.compress(busybox_rootfs_tar.read_bytes()))
    shore("import", str(busybox_rootfs_tar), "plain:1")
    shore("import", "-c", "CMD true", str(packed), "packed:1")
    archive = tmp_path / "images.tar"
    shore("save", "-o", str(archive), "packed:1")
    with tarfile.open(archive) as opened:
        members = {member.name: opened.extractfile(member) for member in opened}
        content = {name: file.read() for name, file in members.items() if file is not None}
    [entry] = json.loads(content["index.json"])["manifests"]
    manifest = json.loads(content[f"blobs/sha256/{entry['digest'][7:]}"])
    for part in (entry, manifest["config"], *manifest["layers"]):
        blob = content[f"blobs/sha256/{part['digest'][7:]}"]
        assert (len(blob), f"sha256:{hashlib.sha256(blob).hexdigest()}") == (part["size"], part["digest"])
    before = shore("images", "-q", "packed:1")
    shore("rmi", "packed:1", "plain:1")
    assert shore("load", "-i", str(archive)) == "Loaded image: packed:1\n"
    assert shore("images", "-q", "packed:1") == before


def test_save_refuses_a_terminal_and_unknown_images(coracle: Shore, tmp_path: pathlib.Path) -> None:
    with coracle.at_terminal("save", "busybox:1") as terminal:
        terminal.wait_for("cowardly refusing to save to a terminal")
        assert terminal.end() == 1
    target = tmp_path / "x.tar"
    assert "No such image: nothing:latest" in coracle.refused("save", "-o", str(target), "nothing")
    # The image of the harbour has no blobs: what was begun is taken away again.
    assert "is gone" in coracle.refused("save", "-o", str(target), "busybox:1")
    assert list(tmp_path.iterdir()) == []


def test_import(shore: Shore, busybox_rootfs_tar: pathlib.Path) -> None:
    changes = [
        'CMD ["/bin/echo", "hi"]',
        "ENV A=1 B='two words'",
        "LABEL x=y",
        "EXPOSE 80 53/udp",
        "USER nobody",
    ]
    options = [option for change in changes for option in ("-c", change)]
    image_id = shore("import", *options, str(busybox_rootfs_tar), "mine:1").strip()
    [image] = json.loads(shore("image", "inspect", "mine:1"))
    assert image["Id"] == image_id
    config = image["Config"]
    assert (config["Cmd"], config["Env"]) == (["/bin/echo", "hi"], ["A=1", "B=two words"])
    assert (config["Labels"], config["User"]) == ({"x": "y"}, "nobody")
    assert set(config["ExposedPorts"]) == {"80/tcp", "53/udp"}
    done = subprocess.run(
        [shore.program, "import", *options, "-"],
        input=busybox_rootfs_tar.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().strip() != image_id  # another time, another image
    assert "ago" in shore("images", "--format", "{{.CreatedSince}}", "mine:1")
    shore("import", "-m", "made by hand", str(busybox_rootfs_tar), "mine:2")
    assert "made by hand" in shore("history", "mine:2")
    assert "is not a valid change command" in shore.refused(
        "import", "-c", "RUN true", str(busybox_rootfs_tar)
    )


def test_export_and_import_again(coracle: Shore, harbour: Harbour, tmp_path: pathlib.Path) -> None:
    """What it has written is in it, what is mounted is not; running or at rest makes no difference."""
    mount = {"type": "volume", "source": "data", "target": "/data"}
    script = "echo hello > /greeting; ln -s greeting /link; chmod 4711 /greeting; rm /etc/passwd; sleep 1000"
    harbour.start("web", "sh", "-c", f"echo in > /data/volume; {script}", volumes=[mount])
    with open(tmp_path / "running.tar", "wb") as file:
        wait_until(lambda: os.path.exists(_upper(harbour, "link")), bool)
        wait_until(
            lambda: oct(os.lstat(_upper(harbour, "greeting")).st_mode), lambda mode: mode == "0o104711"
        )
        wait_until(lambda: os.path.lexists(_upper(harbour, "etc/passwd")), bool)
        subprocess.run([coracle.program, "export", "web"], stdout=file, check=True)
    coracle("kill", "web")
    harbour.settled("web")
    coracle("export", "-o", str(tmp_path / "resting.tar"), "web")
    for path in sorted(tmp_path.iterdir()):
        with tarfile.open(path) as archive:
            members = {member.name.removeprefix("./"): member for member in archive}
            greeting = archive.extractfile(members["greeting"])
            assert greeting is not None
            assert greeting.read() == b"hello\n"
        assert (members["greeting"].mode, members["link"].linkname) == (0o4711, "greeting")
        assert "data" in members
        assert not {"etc/passwd", "data/volume"}.intersection(members)
    image_id = coracle("import", str(tmp_path / "resting.tar"), "web:copy").strip()
    assert coracle("images", "-q", "--no-trunc", "web:copy").strip() == image_id
    assert mounts_below(harbour.paths.containers) == []


def _upper(harbour: Harbour, path: str) -> str:
    return os.path.join(harbour.paths.container(harbour.record("web").id), "upper", path)
