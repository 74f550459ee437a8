# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Images that lay traps for whoever starts them: a container starts or is refused, and nothing changes
outside.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import stat
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.mount_values import (
    parse_volumes,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.tests.integration.container.spec.bundles import Bundle, Ran


@pytest.fixture
def canary(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A place outside in which nothing may change: content, mode, owner, links, times, names."""
    place = tmp_path / "canary"
    (place / "sub").mkdir(parents=True)
    (place / "victim").write_text("untouched")
    (place / "victim").chmod(0o600)
    before = pictured(place)
    yield place
    assert pictured(place) == before


def pictured(place: pathlib.Path) -> list[tuple[t.Any, ...]]:
    picture = []
    for path in sorted([place, *place.rglob("*")]):
        found = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(found.st_mode) else b""
        picture.append((str(path), found.st_mode, found.st_uid, found.st_nlink, found.st_mtime_ns, content))
    return picture


def start(
    bundle: Bundle, runtime: str, image: ImageConfig | None = None, **options: t.Any
) -> Ran | CoracleError:
    """What came of it, within ten seconds."""
    started = time.monotonic()
    result: Ran | CoracleError
    try:
        result = bundle.shell("echo started", runtime, image, **options)
    except CoracleError as error:
        result = error
    assert time.monotonic() - started < 10
    return result


def lay(bundle: Bundle, name: str, kind: str, canary: pathlib.Path) -> None:
    """Put a trap at `name` of the image."""
    path = bundle.rootfs / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()
    if kind == "link to a directory outside":
        path.symlink_to(canary)
    elif kind == "relative link outside":
        path.symlink_to("../" * 20 + str(canary).lstrip("/"))
    elif kind == "link to a file outside":
        path.symlink_to(canary / "victim")
    elif kind == "link to a new name outside":
        path.symlink_to(canary / "pwned")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 8))
    elif kind == "directory":
        path.mkdir()
    elif kind == "link into proc":
        path.symlink_to("/proc/sys/kernel/core_pattern")
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(10 * 1024**3)


KINDS = [
    "link to a directory outside", "relative link outside", "link to a file outside",
    "link to a new name outside",
    "fifo", "device", "directory", "link into proc", "huge",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["etc/hosts", "etc/passwd", "dev", "proc", "sys", "run"])
def test_a_trap_at_a_place_that_engines_touch(
    bundle: Bundle, runtime: str, canary: pathlib.Path, name: str, kind: str
) -> None:
    core_pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    lay(bundle, name, kind, canary)
    result = start(bundle, runtime)
    assert isinstance(result, CoracleError) or result.output == "started\n" or result.errors
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == core_pattern


@pytest.mark.parametrize("name", ["dev", "proc", "sys"])
def test_a_link_for_a_kernel_directory_is_refused_by_name(
    bundle: Bundle, canary: pathlib.Path, name: str
) -> None:
    lay(bundle, name, "link to a directory outside", canary)
    with pytest.raises(IntegrityError, match=f"^/{name} of the image is not a directory"):
        bundle.shell("true")


def test_the_fresh_dev_alone_stops_crun_from_writing_outside(bundle: Bundle, canary: pathlib.Path) -> None:
    """CVE-2026-47766 without our own check: the second line of defence."""
    document = bundle.specification(ContainerConfig(command=["/bin/true"]))
    lay(bundle, "dev", "link to a directory outside", canary)
    assert bundle.run_specification(document, "crun").code != 0


@pytest.mark.parametrize("link", ["/", "canary", "../canary"])
@pytest.mark.parametrize("below", ["", "/below"])
def test_a_volume_on_a_link(
    bundle: Bundle, runtime: str, canary: pathlib.Path, link: str, below: str
) -> None:
    (bundle.rootfs / "data").symlink_to(link.replace("canary", "../" * 20 + str(canary).lstrip("/")))
    (bundle.rootfs / str(canary).lstrip("/")).mkdir(parents=True)
    bundle.volume("data").joinpath("mine").write_text("x")
    asked = parse_volumes([f"data:/data{below}"], "volumes")
    result = start(bundle, runtime, volumes=asked)
    assert isinstance(result, (Ran, CoracleError))


@pytest.mark.parametrize("target", ["/proc", "/proc/sys", "/sys/kernel", "/dev", "/proc/self/attr"])
def test_a_volume_led_into_a_kernel_directory(bundle: Bundle, canary: pathlib.Path, target: str) -> None:
    (bundle.rootfs / "data").symlink_to(target)
    asked = parse_volumes(["data:/data"], "volumes")
    with pytest.raises(IntegrityError, match=f"^image: /data leads to {target}"):
        bundle.shell("true", volumes=asked)
    with pytest.raises(IntegrityError, match=r"^image: /data leads to "):
        bundle.shell("true", image=ImageConfig(volumes=["/data"]))


@pytest.mark.parametrize("number", [0, 3, 4, 5, 7, 9, 12])
def test_no_descriptor_of_the_runtime_is_a_way_out(bundle: Bundle, runtime: str, number: int) -> None:
    """CVE-2024-21626 without our own check of the working directory."""
    document = bundle.specification(ContainerConfig(command=["/bin/sh", "-c", "ls; pwd"]))
    document["process"]["cwd"] = f"/proc/self/fd/{number}"
    ran = bundle.run_specification(document, runtime)
    assert ran.code != 0
    assert ran.output == ""


def test_a_working_directory_through_a_link(bundle: Bundle, canary: pathlib.Path) -> None:
    (bundle.rootfs / "w").symlink_to("/proc/self/fd/9")
    with pytest.raises(IntegrityError, match=r"^working_dir: /w of the image leads to /proc/self/fd/9"):
        bundle.shell("true", image=ImageConfig(working_dir="/w"))
    (bundle.rootfs / "v").symlink_to(canary)
    assert bundle.shell("pwd", image=ImageConfig(working_dir="/v/made")).code == 0


@pytest.mark.parametrize("target", ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"])
def test_a_link_for_a_file_that_we_bring(
    bundle: Bundle, runtime: str, canary: pathlib.Path, target: str
) -> None:
    """The file is bound where the link leads inside; outside nothing appears."""
    path = bundle.rootfs / target.lstrip("/")
    path.unlink(missing_ok=True)
    path.symlink_to("../run/elsewhere")
    ran = bundle.shell(f"cat {target}", runtime)
    assert ran.code != 0 or ran.output == f"# {target.split('/')[-1]} of the container\n"


def test_the_runtime_cannot_be_made_to_run_itself(bundle: Bundle, runtime: str) -> None:
    """CVE-2019-5736: a program that is the runtime's own executable, then written over while it runs."""
    program = pathlib.Path(t.cast("str", shutil.which(runtime, path="/usr/sbin:/usr/bin")))
    before = hashlib.sha256(program.read_bytes()).hexdigest()
    (bundle.rootfs / "entry").write_text("#!/proc/self/exe\n")
    (bundle.rootfs / "entry").chmod(0o755)
    overwrite = "for program in /proc/[0-9]*/exe; do echo x >$program; done"
    script = f"/entry & for n in 1 2 3 4 5 6 7 8 9; do {overwrite}; done 2>/dev/null; true"
    assert bundle.run(ContainerConfig(command=["/entry"]), None, runtime).code != 0
    bundle.shell(script, runtime)
    assert hashlib.sha256(program.read_bytes()).hexdigest() == before
