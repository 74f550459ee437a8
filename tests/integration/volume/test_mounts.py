# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`mounts` and `volumes_from` in real containers: what they do, and that no link leads out."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import users_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    CoracleError,
    IntegrityError,
    NotFound,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.collect_garbage import (
    collect_garbage,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_image import (
    remove_image,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.repair_container import (
    repair_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.replace_container import (
    replace_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    described,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.records import list_volumes
from ansible_collections.coracle.engine.tests import tars
from ansible_collections.coracle.engine.tests.integration.container.harbour import IMAGE_NAME, Harbour
from ansible_collections.coracle.engine.tests.integration.volume.stock import add_image, seen
from ansible_collections.coracle.engine.tests.integration.volume.test_filling import (
    SLEEP,
    all_unmounted,
    canary,
    data,
    inside,
    run,
)


def asked(*mounts: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """Options as in a task, in normal form."""
    config = described({"mounts": list(mounts), **options})
    return {name: value for name, value in vars(config).items() if value is not None}


def names_of_volumes(harbour: Harbour) -> list[str]:
    return [record.name for record in list_volumes(harbour.engine.database.read())]


# Types


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_every_type_at_once(stocked: Harbour, tmp_path: pathlib.Path, runtime: str) -> None:
    place = tmp_path / "place"
    said = run(
        stocked,
        "web",
        "grep -E ' /(a|b|c|d) ' /proc/mounts | sort -k2; cat /c/file; touch /a/x /b/y /d/z; touch /c/x 2>&1",
        runtime=runtime,
        **asked(
            {"type": "bind", "source": str(place), "target": "/a", "create_mountpoint": True},
            {"source": "data", "target": "/b", "labels": {"a": "b"}},
            {"type": "image", "source": "stock:1", "target": "/c", "subpath": "srv/data"},
            {
                "type": "tmpfs",
                "target": "/d",
                "tmpfs_size": "1m",
                "tmpfs_mode": "0700",
                "tmpfs_options": ["exec"],
            },
        ),
    )
    lines = said.splitlines()
    assert [line.split()[1] for line in lines[:4]] == ["/a", "/b", "/c", "/d"]
    options = lines[3].split()[3].split(",")
    assert {"size=1024k", "mode=700", "nosuid", "nodev"} <= set(options)
    assert "noexec" not in options
    assert lines[2].split()[3].startswith("ro")
    assert lines[4].startswith("from the image")
    assert "Read-only file system" in said
    assert os.listdir(place) == ["x"]
    assert os.listdir(data(stocked)) == ["y"]
    [record] = list_volumes(stocked.engine.database.read())
    assert record.labels == {"a": "b"}


def test_a_source_that_is_not_there(stocked: Harbour, tmp_path: pathlib.Path) -> None:
    with pytest.raises(
        NotFound, match=r"mounts: .*/none does not exist .create it, or set create_mountpoint: true"
    ):
        stocked.start("web", *SLEEP, **asked({"type": "bind", "source": f"{tmp_path}/none", "target": "/a"}))
    assert not (tmp_path / "none").exists()


def test_a_file_as_a_mount(stocked: Harbour, tmp_path: pathlib.Path) -> None:
    (tmp_path / "motd").write_text("hello")
    mount = {"type": "bind", "source": f"{tmp_path}/motd", "target": "/etc/motd", "read_only": True}
    assert run(stocked, "web", "cat /etc/motd", **asked(mount)) == "hello"


def test_propagation_stays_inside_unless_asked_for(stocked: Harbour, tmp_path: pathlib.Path) -> None:
    """C10: what is mounted inside does not appear on the host."""
    place = tmp_path / "place"
    place.mkdir()
    run(
        stocked,
        "web",
        "mkdir /a/x; mount -t tmpfs tmpfs /a/x && touch /a/x/file; grep -c /a/x /proc/mounts",
        privileged=True,
        **asked({"type": "bind", "source": str(place), "target": "/a"}),
    )
    assert os.listdir(place / "x") == []
    assert str(place) not in pathlib.Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_what_is_mounted_below_a_source(stocked: Harbour, tmp_path: pathlib.Path, runtime: str) -> None:
    below = tmp_path / "place" / "below"
    below.mkdir(parents=True)
    (below / "hidden").touch()
    with contextlib.ExitStack() as stack:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(below)], check=True)
        stack.callback(subprocess.run, ["umount", str(below)], check=True)
        mount = {"type": "bind", "source": f"{tmp_path}/place", "target": "/a"}
        assert run(stocked, "one", "ls /a/below", runtime=runtime, **asked(mount)) == ""
        program = "touch /a/below/x 2> /dev/null && echo written; touch /a/x 2> /dev/null || echo not here"
        read_only = {**mount, "read_only": True}
        assert run(stocked, "all", program, runtime=runtime, **asked(read_only)) == "not here\n"
        on_top = asked({**read_only, "read_only_non_recursive": True})
        assert run(stocked, "top", program, runtime=runtime, **on_top) == "written\nnot here\n"
        (below / "x").unlink()
        not_below = asked({**mount, "non_recursive": True})
        assert run(stocked, "other", "ls /a/below", runtime=runtime, **not_below) == "hidden\n"


# Images


def test_an_image_that_is_mounted_is_in_use(
    stocked: Harbour, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    image = add_image(
        stocked.engine,
        busybox_rootfs_tar,
        tmp_path,
        "assets:1",
        tars.directory("www"),
        tars.file("www/a", b"asset"),
    )
    record = stocked.start(
        "web", *SLEEP, **asked({"type": "image", "source": "assets:1", "target": "/assets"})
    )
    assert record.mounted_images == {"docker.io/library/assets:1": image.id}
    assert inside(stocked, "web", "/assets/www/a").read_text() == "asset"
    assert users_of(stocked.engine.database.read(), image.id) == {record.id: "web"}
    with pytest.raises(Conflict, match="assets:1 is used by container web"):
        remove_image(stocked.engine, parse_reference("assets:1"))
    remove_image(stocked.engine, parse_reference("assets:1"), force=True)
    collect_garbage(stocked.engine)
    stop_container(stocked.engine, "web", timeout=0)
    stocked.start("web")
    assert inside(stocked, "web", "/assets/www/a").read_text() == "asset"
    remove_container(stocked.engine, "web")
    assert users_of(stocked.engine.database.read(), image.id) == {}
    remove_image(stocked.engine, image.id)


def test_an_image_that_is_not_here(stocked: Harbour) -> None:
    with pytest.raises(NotFound, match="create container web: mounts: image no-such:1 is not on this host"):
        stocked.create("web", *SLEEP, **asked({"type": "image", "source": "no-such:1", "target": "/a"}))
    assert not stocked.exists("web")


def test_the_layers_of_an_image_stay_as_they_are(stocked: Harbour) -> None:
    run(
        stocked,
        "web",
        "touch /a/new /a/srv/data/file; rm -r /a/srv; mount -o remount,rw /a; touch /a/new",
        capabilities=["SYS_ADMIN"],
        security_opts=["seccomp=unconfined"],
        **asked({"type": "image", "source": "stock:1", "target": "/a"}),
    )
    assert run(stocked, "again", "cat /srv/data/file; ls /new 2>&1").startswith("from the image")


# Parts


def test_a_part_of_a_volume(stocked: Harbour) -> None:
    make = "mkdir -p /v/a/b; echo one > /v/a/b/file; echo two > /v/a/single; ln -s a/b /v/link"
    run(stocked, "first", make, **asked({"source": "data", "target": "/v"}))
    said = run(
        stocked,
        "second",
        "cat /dir/file /one /linked/file; echo more >> /one; ls /dir/..",
        **asked(
            {"source": "data", "target": "/dir", "subpath": "a/b"},
            {"source": "data", "target": "/one", "subpath": "a/single"},
            {"source": "data", "target": "/linked", "subpath": "link", "read_only": True},
        ),
    )
    assert said.splitlines()[:3] == ["one", "two", "one"]
    assert "single" not in said.splitlines()[3:]
    assert (data(stocked) / "a" / "single").read_text() == "two\nmore\n"
    assert all_unmounted(stocked)


@pytest.mark.parametrize(
    "plant",
    [
        "ln -s {canary} /v/part",
        "ln -s ../../../../../../../..{canary} /v/part",
        "ln -s /proc/self/root{canary} /v/part",
        "mkdir /v/x; ln -s {canary}/.. /v/x/y; ln -s x/y/canary /v/part",
    ],
)
def test_no_link_in_a_volume_leads_out_of_it(stocked: Harbour, tmp_path: pathlib.Path, plant: str) -> None:
    before = canary(tmp_path)
    run(
        stocked, "evil", plant.format(canary=tmp_path / "canary"), **asked({"source": "data", "target": "/v"})
    )
    with pytest.raises(NotFound, match="mount volume data: there is no part in it"):
        stocked.start("victim", *SLEEP, **asked({"source": "data", "target": "/part", "subpath": "part"}))
    assert canary(tmp_path) == before
    assert all_unmounted(stocked)


def test_a_link_to_an_absolute_path_is_followed_inside_the_volume(stocked: Harbour) -> None:
    run(stocked, "first", "mkdir -p /v/etc; echo inside > /v/etc/passwd; ln -s /etc/passwd /v/part",
        **asked({"source": "data", "target": "/v"}))  # fmt: skip
    mount = {"source": "data", "target": "/part", "subpath": "part"}
    assert run(stocked, "second", "cat /part", **asked(mount)) == "inside\n"


SWAP = (
    "cd /v; mkdir dir; ln -s {canary} out;"
    " while :; do mv -T dir part; mv -T part dir; mv -T out part; mv -T part out; done 2>/dev/null"
)


def test_whoever_swaps_the_part_for_a_link_gains_nothing(stocked: Harbour, tmp_path: pathlib.Path) -> None:
    before = canary(tmp_path)
    script = SWAP.format(canary=tmp_path / "canary")
    stocked.start("evil", "sh", "-c", script, **asked({"source": "data", "target": "/v"}))
    started = 0
    for number in range(40):
        name = f"victim{number}"
        stocked.create(
            name, "sh", "-c", "touch /part/touched; ls /part",
            **asked({"source": "data", "target": "/part", "subpath": "part"}),
        )  # fmt: skip
        try:
            stocked.start(name)
        except CoracleError:
            continue
        finally:
            assert canary(tmp_path) == before
        started += 1
        stocked.wait_for(name, "exited")
        assert "victim" not in stocked.output(name).split()
    assert canary(tmp_path) == before
    assert started > 0


def test_whoever_swaps_a_mount_point_for_a_link_gains_nothing(
    stocked: Harbour, tmp_path: pathlib.Path
) -> None:
    """C2: a volume is mounted inside another one, whose owner moves the place about."""
    before = canary(tmp_path)
    script = SWAP.format(canary=tmp_path / "canary")
    stocked.start("evil", "sh", "-c", script, **asked({"source": "data", "target": "/v"}))
    for number in range(30):
        name = f"victim{number}"
        mounts = ({"source": "data", "target": "/v"}, {"source": "other", "target": "/v/part/deep"})
        with contextlib.suppress(CoracleError):
            stocked.start(name, "true", **asked(*mounts))
        assert canary(tmp_path) == before


@pytest.mark.parametrize(
    ("subpath", "problem"),
    [
        ("none", "there is no none in it"),
        ("file/x", "there is no file/x in it"),
        ("fifo", "neither a directory nor a file"),
    ],
)
def test_a_part_that_is_not_there(stocked: Harbour, subpath: str, problem: str) -> None:
    stocked.create("first", *SLEEP, **asked({"source": "data", "target": "/srv/data"}))
    with pytest.raises(CoracleError, match=problem):
        stocked.start("web", *SLEEP, **asked({"source": "data", "target": "/a", "subpath": subpath}))
    assert all_unmounted(stocked)


def test_images_whose_links_lead_a_mount_astray(
    stocked: Harbour, busybox_rootfs_tar: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """C5: a target that the image makes a link to /proc."""
    stocked.image = add_image(
        stocked.engine, busybox_rootfs_tar, tmp_path, "astray:1", tars.symbolic_link("here", "/proc/self")
    )
    with pytest.raises(IntegrityError, match="leads to /proc/self: nothing can be mounted there"):
        stocked.start("web", *SLEEP, **asked({"source": "data", "target": "/here"}))


# Volumes of other containers


def test_volumes_of_another_container(stocked: Harbour, tmp_path: pathlib.Path) -> None:
    (tmp_path / "place").mkdir()
    stocked.create(
        "db",
        *SLEEP,
        **asked(volumes=["data:/srv/data", "/nameless", f"{tmp_path}/place:/place"], tmpfs=["/memory"]),
    )
    said = run(
        stocked,
        "web",
        "cat /srv/data/file; echo; touch /nameless/x /place/x && touch /own/x; ls / | tr '\\n' ' '",
        **asked(volumes_from=["db"], volumes=["own:/own"]),
    )
    assert said.startswith("from the image\n")
    assert "memory" not in said
    assert os.listdir(tmp_path / "place") == ["x"]
    read_only = run(
        stocked, "reader", "touch /nameless/y /place/y 2>&1; ls /nameless", **asked(volumes_from=["db:ro"])
    )
    assert read_only.count("Read-only file system") == 2
    assert read_only.endswith("x\n")
    own_wins = run(stocked, "other", "ls /place", **asked(volumes_from=["db"], tmpfs=["/place"]))
    assert own_wins == ""


def test_its_volumes_outlive_the_container_that_they_come_from(stocked: Harbour) -> None:
    stocked.create("db", *SLEEP, **asked(volumes=["/nameless"]))
    stocked.start("web", *SLEEP, **asked(volumes_from=["db"]))
    inside(stocked, "web", "/nameless/file").write_text("kept")
    remove_container(stocked.engine, "db", volumes=True)
    stop_container(stocked.engine, "web", timeout=0)
    stocked.start("web")
    assert inside(stocked, "web", "/nameless/file").read_text() == "kept"
    remove_container(stocked.engine, "web", volumes=True)
    assert names_of_volumes(stocked) == []


def test_a_container_that_is_not_there(stocked: Harbour) -> None:
    with pytest.raises(NotFound, match="create container web: volumes_from: there is no container db"):
        stocked.create("web", *SLEEP, **asked(volumes_from=["db"]))


# The end


def test_volumes_survive_replacements(stocked: Harbour) -> None:
    config = asked({"source": "data", "target": "/srv/data"}, volumes=["/nameless"])
    stocked.start("web", *SLEEP, **config)
    for place in ("/srv/data/own", "/nameless/own"):
        inside(stocked, "web", place).write_text("kept")
    for _time in range(3):
        new = ContainerConfig(command=list(SLEEP), network_mode="none", **config)
        replace_container(stocked.engine, "web", new, stocked.image, IMAGE_NAME, run=True, timeout=0)
    for place in ("/srv/data/own", "/nameless/own"):
        assert inside(stocked, "web", place).read_text() == "kept"
    assert len(names_of_volumes(stocked)) == 2
    remove_container(stocked.engine, "web", volumes=True)
    assert names_of_volumes(stocked) == ["data"]
    assert (data(stocked) / "own").read_text() == "kept"


def test_volumes_of_a_container_that_removes_itself(stocked: Harbour) -> None:
    stocked.start("web", "true", auto_remove=True, **asked(volumes=["/nameless", "data:/data"]))
    while find_container(stocked.engine.database, "web"):
        pass
    assert names_of_volumes(stocked) == ["data"]
    assert sorted(os.listdir(stocked.paths.volumes)) == ["data"]


def test_a_removal_that_was_interrupted_is_finished_as_it_was_meant(stocked: Harbour) -> None:
    for volumes in (True, False):
        stocked.create("web", *SLEEP, **asked(volumes=["/nameless"]))
        done = stocked.run_python(
            "import os, signal\n"
            "module = load('operations.remove_container')\n"
            "module.move_to_trash = lambda *_arguments: os.kill(os.getpid(), signal.SIGKILL)\n"
            f"module.remove_container(engine, 'web', volumes={volumes})\n"
        )
        assert done.returncode == -9, done.stderr
        repair_container(stocked.engine, "web")
        assert not stocked.exists("web")
        assert len(names_of_volumes(stocked)) == (0 if volumes else 1)


def test_the_image_is_as_it_was_after_all(stocked: Harbour) -> None:
    """Filling reads the layers and never writes to them."""
    stocked.start("one", *SLEEP)
    before = seen(inside(stocked, "one", "/srv"))
    stocked.start("web", *SLEEP, **asked({"source": "data", "target": "/srv/data"}))
    inside(stocked, "web", "/srv/data/file").write_text("changed")
    stocked.start("two", *SLEEP)
    assert seen(inside(stocked, "two", "/srv")) == before
