# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Volumes that are mounted: at the first use, until the last, and never in the way of anything else."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError, NotFound
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.mounts import (
    filesystem_type,
    is_mounted,
    mounts,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_volume import (
    create_volume,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_volume import (
    recreate_volume,
    remove_volume,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.replace_container import (
    replace_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import (
    IMAGE_NAME,
    Harbour,
    wait_until,
)
from ansible_collections.coracle.engine.tests.integration.volume.test_filling import (
    SLEEP,
    data,
    inside,
    run,
    volume,
)

TMPFS = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=1777,noexec"}


def make(harbour: Harbour, options: dict[str, str]) -> None:
    create_volume(harbour.engine, "data", {}, options)


def stop(harbour: Harbour, *names: str) -> None:
    for name in names:
        stop_container(harbour.engine, name, timeout=0)


def is_there(harbour: Harbour) -> bool:
    return is_mounted(str(data(harbour)))


def test_mounted_at_the_first_use_and_until_the_last(stocked: Harbour) -> None:
    make(stocked, TMPFS)
    stocked.create("a", *SLEEP, volumes=[volume("data", "/v")])
    stocked.create("b", *SLEEP, volumes=[volume("data", "/v", "ro")])
    assert not is_there(stocked)
    stocked.start("a")
    assert filesystem_type(str(data(stocked))) == "tmpfs"
    inside(stocked, "a", "/v/file").write_text("shared")
    stocked.start("b")
    assert inside(stocked, "b", "/v/file").read_text() == "shared"
    stop(stocked, "a")
    assert is_there(stocked)
    stocked.start("a")
    assert inside(stocked, "a", "/v/file").read_text() == "shared"
    stop(stocked, "a", "b")
    assert not is_there(stocked)


def test_unmounted_when_the_container_ends_by_itself(stocked: Harbour) -> None:
    make(stocked, TMPFS)
    assert "tmpfs" in run(stocked, "a", "grep ' /v ' /proc/mounts", volumes=[volume("data", "/v")])
    stocked.settled("a")
    wait_until(lambda: is_there(stocked), lambda there: not there)


def test_flags_hold_inside(stocked: Harbour) -> None:
    make(stocked, TMPFS)
    said = run(
        stocked,
        "a",
        "stat -c %a /v; grep ' /v ' /proc/mounts; cp /bin/busybox /v/b 2>&1; rm /v/b;"
        " echo '#!/bin/sh' > /v/x; chmod +x /v/x; /v/x 2>&1",
        volumes=[volume("data", "/v")],
    )
    assert said.splitlines()[0] == "1777"
    assert "No space left" in said
    assert "Permission denied" in said


def test_flags_of_the_host_hold_inside(stocked: Harbour, tmp_path: pathlib.Path) -> None:
    """Also where a directory of the host is mounted without being a volume."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,ro", "tmpfs", str(tmp_path)], check=True
    )
    try:
        bind = {"type": "bind", "source": str(tmp_path), "target": "/v", "read_only": False, "options": []}
        said = run(stocked, "a", "grep ' /v ' /proc/mounts", volumes=[bind])
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert said.split()[3].split(",")[:4] == ["ro", "nosuid", "nodev", "noexec"]


def test_a_volume_in_memory_is_filled_each_time(stocked: Harbour) -> None:
    """What it had is gone; what the image has is not."""
    make(stocked, TMPFS)
    stocked.start("a", *SLEEP, volumes=[volume("data", "/srv/data")])
    for _run in range(2):
        assert inside(stocked, "a", "/srv/data/file").read_text() == "from the image"
        inside(stocked, "a", "/srv/data/file").write_text("changed")
        stop(stocked, "a")
        stocked.start("a")


def test_a_directory_of_the_host(stocked: Harbour, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    make(stocked, {"type": "none", "device": str(place), "o": "bind"})
    stocked.start("a", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert (place / "file").read_text() == "from the image"
    assert not [name for name in os.listdir(place) if name.startswith(".coracle")]
    (place / "file").write_text("from the host")
    assert inside(stocked, "a", "/srv/data/file").read_text() == "from the host"
    remove_container(stocked.engine, "a")
    remove_volume(stocked.engine, "data")
    assert (place / "file").read_text() == "from the host"


def test_a_directory_of_the_host_that_has_something_stays_as_it_is(
    stocked: Harbour, tmp_path: pathlib.Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "own").touch()
    make(stocked, {"type": "none", "device": str(place), "o": "bind,ro"})
    said = run(
        stocked,
        "a",
        "ls /srv/data; grep ' /srv/data ' /proc/mounts; touch /srv/data/x 2>&1",
        volumes=[volume("data", "/srv/data")],
    )
    assert said.splitlines()[0] == "own"
    assert "Read-only file system" in said


def test_a_disk(stocked: Harbour, tmp_path: pathlib.Path) -> None:
    image = tmp_path / "disk"
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    attached = subprocess.run(
        ["losetup", "--find", "--show", str(image)], check=True, capture_output=True, text=True
    )
    device = attached.stdout.strip()
    try:
        make(stocked, {"type": "ext4", "device": device, "o": "noatime"})
        stocked.start("a", *SLEEP, volumes=[volume("data", "/v")])
        inside(stocked, "a", "/v/file").write_text("on the disk")
        [mount] = [mount for mount in mounts() if mount.target == str(data(stocked))]
        assert mount.fstype == "ext4"
        stop(stocked, "a")
        assert os.listdir(data(stocked)) == []
        stocked.start("a")
        assert inside(stocked, "a", "/v/file").read_text() == "on the disk"
        stop(stocked, "a")
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def test_a_replacement_shares_the_mount(stocked: Harbour) -> None:
    make(stocked, TMPFS)
    old = stocked.start("a", *SLEEP, volumes=[volume("data", "/v")])
    inside(stocked, "a", "/v/file").write_text("kept")
    config = old.config
    replace_container(stocked.engine, "a", config, stocked.image, IMAGE_NAME, run=True, timeout=0)
    assert stocked.record("a").id != old.id
    assert inside(stocked, "a", "/v/file").read_text() == "kept"
    assert len([mount for mount in mounts() if mount.target == str(data(stocked))]) == 1


def test_what_a_crash_has_left_mounted_goes_with_the_next_run(stocked: Harbour) -> None:
    make(stocked, TMPFS)
    stocked.create("a", *SLEEP, volumes=[volume("data", "/v")])
    done = stocked.run_python(
        "import os, signal\n"
        "attach = load('operations.attach_volumes')\n"
        "attach_it = attach.attach_volumes\n"
        "def and_die(*arguments):\n"
        "    attach_it(*arguments)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "attach.attach_volumes = and_die\n"
        "verb('start_container')(engine, 'a')\n"
    )
    assert done.returncode == -9
    assert is_there(stocked)
    stocked.start("a")
    assert stocked.status("a").status == "running"
    stop(stocked, "a")
    assert not is_there(stocked)


def test_a_mount_that_was_left_is_not_emptied_by_removing_the_volume(
    stocked: Harbour, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "precious").touch()
    make(stocked, {"type": "none", "device": str(tmp_path), "o": "bind"})
    subprocess.run(["mount", "--bind", str(tmp_path), str(data(stocked))], check=True)
    remove_volume(stocked.engine, "data")
    assert (tmp_path / "precious").exists()
    assert not os.path.exists(data(stocked))


def test_recreated_in_another_way(stocked: Harbour) -> None:
    make(stocked, TMPFS)
    recreate_volume(stocked.engine, "data", {}, {})
    stocked.start("a", *SLEEP, volumes=[volume("data", "/srv/data")])
    assert not is_there(stocked)
    assert (data(stocked) / "file").exists()


BAD: list[tuple[dict[str, str], str]] = [
    (
        {"type": "none", "device": "/not/there", "o": "bind"},
        "/not/there does not exist (create it on the host first)",
    ),
    ({"type": "ext4", "device": "/dev/not-there"}, "/dev/not-there does not exist"),
    ({"type": "nosuchfs", "device": "x"}, "this kernel has no file system nosuchfs (load its module"),
    ({"type": "tmpfs", "device": "tmpfs", "o": "size=lots"}, "the kernel does not accept it as tmpfs"),
    (
        {"type": "nfs", "device": ":/x", "o": "addr=no-such-host.invalid"},
        "the host 'no-such-host.invalid' has no address",
    ),
]


@pytest.mark.parametrize(("options", "problem"), BAD)
def test_what_cannot_be_mounted_is_said_and_leaves_nothing(
    stocked: Harbour, options: dict[str, str], problem: str
) -> None:
    make(stocked, options)
    stocked.create("a", *SLEEP, volumes=[volume("data", "/v")])
    with pytest.raises(CoracleError) as caught:
        stocked.start("a")
    assert "start container a: mount volume data: " in str(caught.value)
    assert problem in str(caught.value)
    assert not is_there(stocked)
    assert stocked.status("a").status == "created"


def test_a_container_makes_its_volume_with_options(stocked: Harbour) -> None:
    mount: dict[str, t.Any] = {**volume("data", "/v"), "driver_options": TMPFS, "labels": {"a": "b"}}
    stocked.start("a", *SLEEP, mounts=[mount])
    assert filesystem_type(str(data(stocked))) == "tmpfs"
    with pytest.raises(CoracleError, match="volume data exists with other driver options"):
        stocked.create("b", *SLEEP, mounts=[{**mount, "driver_options": {**TMPFS, "o": "size=2m"}}])
    stocked.create("c", *SLEEP, volumes=[volume("data", "/v")])
    with pytest.raises(NotFound):
        stocked.start("b")
