# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Copying to containers that run, are paused or at rest, to what is mounted in them, and to volumes."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.compare import Wishes
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.destinations import as_copy
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.text_source import TextSource
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.tree_source import TreeSource
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict, NotFound
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.mounts import mounts_below
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_volume import (
    create_volume,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.deliver import (
    deliver,
    differences_at,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pause_container import (
    pause_container,
    resume_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.reach_files import (
    container_files,
    volume_files,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

SLEEP = ("sleep", "1000")
DEFAULT = Wishes()


def volume(source: str, target: str, **more: t.Any) -> dict[str, t.Any]:
    kind = "bind" if source.startswith("/") else "volume"
    read_only = more.pop("read_only", False)
    mount = {"type": kind, "source": source, "target": target, "read_only": read_only, "options": []}
    return {**mount, **more}


def put(
    harbour: Harbour, dest: str, text: str = "text", wishes: Wishes = DEFAULT, name: str = "web"
) -> list[tuple[str, ...]]:
    """Copy a text into the container; what was different."""
    with container_files(harbour.engine, name, writing=True) as reached:
        return _put(reached, dest, text, wishes)


def _put(reached: t.Any, dest: str, text: str, wishes: Wishes) -> list[tuple[str, ...]]:
    source = TextSource(text.encode())
    destination = as_copy(reached.place, dest, "", is_directory=False, content_only=False)
    changes = differences_at(source, reached, destination, wishes)
    deliver(source, reached, destination, wishes, changes)
    return [change.what for change in changes]


def would(harbour: Harbour, dest: str, text: str = "text", name: str = "web") -> list[tuple[str, ...]]:
    """The same for somebody who only looks."""
    with container_files(harbour.engine, name, writing=False) as reached:
        destination = as_copy(reached.place, dest, "", is_directory=False, content_only=False)
        changes = differences_at(TextSource(text.encode()), reached, destination, Wishes())
        return [change.what for change in changes]


def get(harbour: Harbour, path: str, name: str = "web") -> str:
    with container_files(harbour.engine, name, writing=False) as reached:
        source = TreeSource(reached.place, path)
        [item] = source.items()
        return b"".join(piece for _offset, piece in source.content(item)).decode()


def inside(harbour: Harbour, path: str, name: str = "web") -> pathlib.Path:
    """The file as the running program has it."""
    return pathlib.Path(f"/proc/{harbour.status(name).pid}/root{path}")


def data(harbour: Harbour, name: str = "data") -> pathlib.Path:
    return pathlib.Path(harbour.paths.volumes, name, "_data")


def test_running(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP)
    assert would(harbour, "/etc/motd") == [("new",)]
    assert not inside(harbour, "/etc/motd").exists()
    assert put(harbour, "/etc/motd") == [("new",)]
    found = inside(harbour, "/etc/motd")
    assert (found.read_text(), oct(found.stat().st_mode), found.stat().st_uid) == ("text", "0o100644", 0)
    assert put(harbour, "/etc/motd") == would(harbour, "/etc/motd") == []
    assert put(harbour, "/etc/motd", "other") == [("content",)]
    assert get(harbour, "/etc/motd") == "other"
    assert [name for name in os.listdir(inside(harbour, "/etc")) if "coracle" in name] == []


def test_paused(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP)
    pause_container(harbour.engine, "web")
    assert put(harbour, "/etc/motd") == [("new",)]
    assert get(harbour, "/etc/motd") == "text"
    resume_container(harbour.engine, "web")
    assert inside(harbour, "/etc/motd").read_text() == "text"


def test_never_started(harbour: Harbour) -> None:
    record = harbour.create("web", *SLEEP)
    assert would(harbour, "/etc/motd") == [("new",)]
    assert not os.path.exists(harbour.paths.container(record.id))
    assert put(harbour, "/etc/motd") == [("new",)]
    assert would(harbour, "/etc/motd") == put(harbour, "/etc/motd") == []
    assert get(harbour, "/etc/motd") == "text"
    harbour.start("web")
    assert inside(harbour, "/etc/motd").read_text() == "text"


def test_stopped_and_nothing_is_mounted_afterwards(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP)
    stop_container(harbour.engine, "web", timeout=0)
    assert put(harbour, "/etc/motd") == [("new",)]
    assert get(harbour, "/etc/motd") == "text"
    assert mounts_below(harbour.paths.root) == []


@pytest.mark.parametrize("state", ["created", "running", "stopped"])
def test_what_is_below_a_mount_lands_in_it(harbour: Harbour, tmp_path: pathlib.Path, state: str) -> None:
    bound = tmp_path / "bound"
    bound.mkdir()
    mounted = [volume("data", "/srv/data"), volume(str(bound), "/srv/bound")]
    harbour.create("web", *SLEEP, volumes=mounted)
    if state != "created":
        harbour.start("web")
    if state == "stopped":
        stop_container(harbour.engine, "web", timeout=0)
    for target, place in (("/srv/data", data(harbour)), ("/srv/bound", bound)):
        assert would(harbour, f"{target}/file") == [("new",)]
        assert put(harbour, f"{target}/file") == [("new",)]
        assert (place / "file").read_text() == "text"
        assert put(harbour, f"{target}/file") == would(harbour, f"{target}/file") == []
        assert get(harbour, f"{target}/file") == "text"
    harbour.start("web")
    assert inside(harbour, "/srv/data/file").read_text() == "text"


def test_a_tmpfs_of_a_running_container(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP, tmpfs={"/scratch": ""})
    assert put(harbour, "/scratch/file") == [("new",)]
    assert inside(harbour, "/scratch/file").read_text() == "text"
    stop_container(harbour.engine, "web", timeout=0)
    for act in (put, would):
        with pytest.raises(Conflict, match="tmpfs, which is empty until the container runs"):
            act(harbour, "/scratch/file")
    with pytest.raises(NotFound, match="tmpfs"):
        get(harbour, "/scratch/file")


def test_what_only_a_run_has(harbour: Harbour) -> None:
    harbour.create("web", *SLEEP)
    with pytest.raises(Conflict, match="only while it runs"):
        put(harbour, "/dev/file")


def test_a_volume_has_what_the_image_has_there(harbour: Harbour) -> None:
    harbour.create("web", *SLEEP, volumes=[volume("data", "/www")])
    assert would(harbour, "/www/more") == [("new",)]
    assert get(harbour, "/www/index.html").startswith("<h1>")
    assert put(harbour, "/www/more") == [("new",)]
    assert sorted(os.listdir(data(harbour))) == ["index.html", "more"]


def test_read_only(harbour: Harbour) -> None:
    harbour.create("web", *SLEEP, read_only=True, volumes=[
        volume("data", "/srv/data"), volume("fixed", "/srv/fixed", read_only=True)])  # fmt: skip
    for start in (False, True):
        if start:
            harbour.start("web")
        for act in (put, would):
            with pytest.raises(Conflict, match=r"/etc/motd of container web is on a read-only.*volumes"):
                act(harbour, "/etc/motd")
            with pytest.raises(Conflict, match=r"/srv/fixed/motd of container web is on a read-only"):
                act(harbour, "/srv/fixed/motd")
        put(harbour, "/srv/data/file", str(start))
        assert (data(harbour) / "file").read_text() == str(start)


def test_a_file_that_is_mounted(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    harbour.start("web", *SLEEP, volumes=[volume(str(file), "/etc/app.conf")])
    for act in (put, would):
        with pytest.raises(Conflict, match=r"is a mount of its own.*unsafe_writes"):
            act(harbour, "/etc/app.conf")
    assert put(harbour, "/etc/app.conf", wishes=Wishes(in_place=True)) == [("content",)]
    assert file.read_text() == "text"
    assert inside(harbour, "/etc/app.conf").read_text() == "text"


def test_links_lead_to_where_the_program_sees_them(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    """CVE-2018-15664, and moby#52653: absolute links in an image have to work."""
    harbour.start("web", "sh", "-c", f"ln -s /run /var/run; ln -s {tmp_path} /out; sleep 1000")
    harbour.wait_for("web", "running")
    while not os.path.lexists(inside(harbour, "/out")):
        pass
    assert put(harbour, "/var/run/file") == [("new",)]
    assert inside(harbour, "/run/file").read_text() == "text"
    with pytest.raises(NotFound, match="there is no directory /out"):
        put(harbour, "/out/file")
    assert os.listdir(tmp_path) == []


def test_the_root_is_the_namespaces_even_if_the_program_has_another(harbour: Harbour) -> None:
    script = (
        "mkdir -p /jail/bin /jail/etc; cp /bin/busybox /jail/bin; exec chroot /jail /bin/busybox sleep 1000"
    )
    harbour.start("web", "sh", "-c", script)
    while not inside(harbour, "/bin/busybox").exists() or inside(harbour, "/bin/sh").exists():
        pass
    assert put(harbour, "/etc/motd") == [("new",)]
    assert get(harbour, "/etc/motd") == "text"
    assert not inside(harbour, "/etc/motd").exists()


def test_a_volume_by_itself(harbour: Harbour) -> None:
    create_volume(harbour.engine, "data", {}, {})
    with volume_files(harbour.engine, "data") as reached:
        assert _put(reached, "/file", "text", Wishes()) == [("new",)]
    assert (data(harbour) / "file").read_text() == "text"
    create_volume(harbour.engine, "memory", {}, {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})
    with volume_files(harbour.engine, "memory") as reached:
        assert _put(reached, "/file", "text", Wishes()) == [("new",)]
    assert mounts_below(harbour.paths.root) == []
    assert os.listdir(data(harbour, "memory")) == []
    with pytest.raises(NotFound, match="there is no volume none"), volume_files(harbour.engine, "none"):
        pass


def test_no_container(harbour: Harbour) -> None:
    with pytest.raises(NotFound, match="there is no container web"):
        put(harbour, "/etc/motd")
