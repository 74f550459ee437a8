# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The first use of a volume: it gets what the image has there, and nobody can make us write elsewhere."""

from __future__ import annotations

import os
import pathlib
import threading
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import fill_volume
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.records import (
    find_volume,
    list_volumes,
)
from ansible_collections.coracle.engine.tests import tars
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until
from ansible_collections.coracle.engine.tests.integration.volume.stock import APP, WWW, add_image, seen

SLEEP = ("sleep", "1000")


def volume(source: str, target: str, *options: str) -> dict[str, t.Any]:
    return {
        "type": "volume",
        "source": source,
        "target": target,
        "read_only": "ro" in options,
        "options": [option for option in options if option != "ro"],
    }


def data(harbour: Harbour, name: str = "data") -> pathlib.Path:
    return pathlib.Path(harbour.paths.volumes, name, "_data")


def inside(harbour: Harbour, name: str, path: str) -> pathlib.Path:
    return pathlib.Path(f"/proc/{harbour.status(name).pid}/root{path}")


def run(harbour: Harbour, name: str, script: str, **config: t.Any) -> str:
    """What a container says that runs to its end."""
    harbour.start(name, "sh", "-c", script, **config)
    harbour.wait_for(name, "exited")
    harbour.settled(name)
    return harbour.output(name)


def all_unmounted(harbour: Harbour) -> bool:
    """Once the exit handlers have done their work."""
    return wait_until(lambda: mounts.mounts_below(harbour.paths.root), lambda found: not found) == []


def test_everything_that_the_image_has_there_is_there(stocked: Harbour) -> None:
    stocked.start("plain", *SLEEP)
    original = seen(inside(stocked, "plain", "/srv/data"))
    stocked.start("web", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert seen(data(stocked)) == seen(inside(stocked, "web", "/srv/data")) == original
    assert len(original) == 13
    assert (data(stocked) / "sub" / "deep").stat().st_nlink == 2
    assert os.getxattr(data(stocked) / "coloured", "user.colour") == b"blue"
    assert os.getxattr(data(stocked) / "capable", "security.capability")


def test_it_is_there_when_the_container_has_been_created(stocked: Harbour) -> None:
    stocked.create("web", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert (data(stocked) / "file").read_text() == "from the image"
    assert mounts.mounts_below(stocked.paths.root) == []


def test_only_the_first_use_fills(stocked: Harbour) -> None:
    assert run(stocked, "first", "echo mine > /x/own", volumes=[volume("data", "/x")]) == ""
    stocked.start("second", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert os.listdir(data(stocked)) == ["own"]
    found = find_volume(stocked.engine.database.read(), "data")
    assert found is not None
    assert found.filled


def test_a_container_whose_image_has_nothing_there_does_not_count(stocked: Harbour) -> None:
    stocked.start("backup", *SLEEP, volumes=[volume("data", "/not/there")])
    stocked.start("web", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert inside(stocked, "backup", "/not/there/file").read_text() == "from the image"


def test_what_was_emptied_stays_empty(stocked: Harbour) -> None:
    run(stocked, "first", "rm -r /srv/data/*", volumes=[volume("data", "/srv/data")])
    stocked.start("second", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert os.listdir(data(stocked)) == []


def test_an_empty_directory_gives_its_owner_and_mode(stocked: Harbour) -> None:
    """A program that is not root can write there."""
    said = run(stocked, "web", "id -u; echo mine > /srv/empty/own; cat /srv/empty/own", user="app",
               volumes=[volume("data", "/srv/empty")])  # fmt: skip
    assert said.splitlines() == ["1000", "mine"]
    status = data(stocked).stat()
    assert (oct(status.st_mode & 0o7777), status.st_uid, status.st_gid) == ("0o700", APP, APP)


def test_a_directory_that_the_image_does_not_have(stocked: Harbour) -> None:
    stocked.start("web", *SLEEP, volumes=[volume("data", "/not/there")])
    status = data(stocked).stat()
    assert (oct(status.st_mode & 0o7777), status.st_uid) == ("0o755", 0)
    assert os.listdir(data(stocked)) == []


def test_a_link_on_the_way_is_followed_inside(stocked: Harbour) -> None:
    stocked.start("web", *SLEEP, volumes=[volume("data", "/srv/link")])
    assert (data(stocked) / "file").read_text() == "from the image"
    assert inside(stocked, "web", "/srv/data/file").read_text() == "from the image"


def test_nocopy(stocked: Harbour) -> None:
    stocked.start("web", *SLEEP, volumes=[volume("data", "/srv/data", "nocopy")])
    assert os.listdir(data(stocked)) == []
    assert data(stocked).stat().st_uid == 0
    stocked.start("other", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert (data(stocked) / "file").exists()


def test_read_only_volumes_are_filled_too(stocked: Harbour) -> None:
    stocked.start("web", *SLEEP, volumes=[volume("data", "/srv/data", "ro")])
    assert inside(stocked, "web", "/srv/data/file").read_text() == "from the image"


def test_volumes_without_a_name(
    stocked: Harbour, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Those that the image declares, and those that the container does."""
    members = [
        tars.directory("srv"),
        *(tars.directory(f"srv/{name}", 0o700, uid=WWW) for name in "ab"),
        *(tars.file(f"srv/{name}/file", name.encode()) for name in "ab"),
    ]
    stocked.image = add_image(
        stocked.engine, busybox_rootfs_tar, tmp_path, "declared:1", *members, volumes=["/srv/a"]
    )
    stocked.start("web", *SLEEP, volumes=[volume("", "/srv/b")])
    for name in "ab":
        assert inside(stocked, "web", f"/srv/{name}/file").read_text() == name
        assert inside(stocked, "web", f"/srv/{name}").stat().st_uid == WWW
    assert [record.filled for record in list_volumes(stocked.engine.database.read())] == [True, True]


def test_a_file_in_its_place_is_said(stocked: Harbour) -> None:
    with pytest.raises(
        CoracleError, match=r"create container web: fill volume data with /srv/plain.*directory"
    ):
        stocked.start("web", *SLEEP, volumes=[volume("data", "/srv/plain")])
    assert not stocked.exists("web")


def test_of_many_at_once_one_fills(stocked: Harbour) -> None:
    names = [f"web{number}" for number in range(6)]
    errors: list[BaseException] = []

    def start(name: str) -> None:
        done = stocked.run_python(
            "config = load('container.config').ContainerConfig(command=['sleep', '1000'],"
            " network_mode='none', volumes=[{'type': 'volume', 'source': 'data', 'target': '/srv/data',"
            " 'read_only': False, 'options': []}])\n"
            "images = load('content.images')\n"
            "image = images.find_image(engine.database, load('oci.reference').parse_reference('stock:1'))\n"
            "verb('create_container')(engine, arguments[0], config, image, 'docker.io/library/stock:1')\n"
            "verb('start_container')(engine, arguments[0])\n",
            name,
        )
        if done.returncode:
            errors.append(AssertionError(done.stderr))

    threads = [threading.Thread(target=start, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    stocked.start("plain", *SLEEP)
    expected = set(seen(inside(stocked, "plain", "/srv/data")))
    for name in names:
        assert set(seen(inside(stocked, name, "/srv/data"))) == expected


# Strangers in the volume


def canary(tmp_path: pathlib.Path) -> dict[str, tuple[t.Any, ...]]:
    place = tmp_path / "canary"
    if not place.exists():
        place.mkdir()
        (place / "victim").write_text("untouched")
        (place / "victim").chmod(0o600)
        (place / "sub").mkdir()
        (place / "sub" / "keep").touch()
    return seen(place)


@pytest.mark.parametrize(
    "plant",
    [
        "ln -s {canary} /v/file",
        "ln -s {canary}/victim /v/file",
        "ln -s {canary} /v/sub",
        "ln -s {canary} /v/.coracle-copy.part",
        "ln -s {canary} /v/.coracle-copy.full",
        "mkdir /v/.coracle-copy.full; ln -s {canary} /v/.coracle-copy.full/sub; ln -s {canary} /v/sub",
        "mkdir /v/.coracle-copy.part; ln -s {canary} /v/.coracle-copy.part/sub",
        "mkfifo /v/.coracle-copy.full",
        "touch /v/.coracle-copy.part",
    ],
)
def test_what_a_container_leaves_in_a_volume_is_never_followed(
    stocked: Harbour, tmp_path: pathlib.Path, plant: str
) -> None:
    """C4: the first container was told not to fill it, so the second one would."""
    before = canary(tmp_path)
    run(
        stocked,
        "evil",
        plant.format(canary=tmp_path / "canary"),
        volumes=[volume("data", "/v", "nocopy")],
    )
    stocked.start("good", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert canary(tmp_path) == before
    assert not [name for name in os.listdir(data(stocked)) if name.startswith(".coracle")]


SWAPPER = """
ln -s {canary} /v/link
while :; do
  mkdir -p /v/.coracle-copy.part/sub /v/sub 2>/dev/null
  mv -T /v/.coracle-copy.part /v/away 2>/dev/null && ln -s {canary} /v/.coracle-copy.part 2>/dev/null
  mv -T /v/.coracle-copy.full /v/away2 2>/dev/null && ln -s {canary} /v/.coracle-copy.full 2>/dev/null
  rm -rf /v/away /v/away2 /v/sub /v/.coracle-copy.part /v/.coracle-copy.full 2>/dev/null
  ln -s {canary} /v/sub 2>/dev/null; rm -rf /v/sub
done
"""


def test_a_container_that_swaps_links_while_its_volume_is_filled_gains_nothing(
    stocked: Harbour, tmp_path: pathlib.Path
) -> None:
    before = canary(tmp_path)
    stocked.start(
        "evil",
        "sh",
        "-c",
        SWAPPER.format(canary=tmp_path / "canary"),
        volumes=[volume("data", "/v", "nocopy")],
    )
    record = stocked.record("evil")
    deadline = time.monotonic() + 3
    attempts = 0
    while time.monotonic() < deadline or attempts < 20:
        attempts += 1
        with stocked.engine.database.transaction() as transaction:
            transaction.execute("UPDATE volumes SET filled = 0")
        try:
            stocked.create(f"good{attempts}", *SLEEP, volumes=[volume("data", "/srv/data")])
        except CoracleError:
            continue  # a nuisance, no more
        finally:
            assert canary(tmp_path) == before
    assert stocked.record("evil").id == record.id


# Interrupted


def test_a_copy_that_fails_leaves_nothing(stocked: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: int, target: int) -> None:
        os.mkdir("begun", dir_fd=target)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fill_volume, "copy_tree", fail)
    with pytest.raises(CoracleError, match=r"fill volume data .*No space left on device .free some space"):
        stocked.create("web", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert not stocked.exists("web")
    assert os.listdir(data(stocked)) == []
    assert mounts.mounts_below(stocked.paths.root) == []
    monkeypatch.undo()
    stocked.start("web", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert (data(stocked) / "file").read_text() == "from the image"
