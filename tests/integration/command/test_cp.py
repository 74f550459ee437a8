# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle cp` by Docker's rules: https://docs.docker.com/reference/cli/docker/container/cp/."""

from __future__ import annotations

import gzip
import io
import os
import pathlib
import subprocess
import tarfile

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour


@pytest.fixture
def web(harbour: Harbour) -> pathlib.Path:
    """The root of a running container."""
    harbour.start("web", "sleep", "1000")
    return pathlib.Path(f"/proc/{harbour.status('web').pid}/root")


@pytest.fixture
def here(tmp_path: pathlib.Path) -> pathlib.Path:
    """A file and a directory with a file."""
    (tmp_path / "file").write_text("file")
    (tmp_path / "file").chmod(0o640)
    os.chown(tmp_path / "file", 7, 8)
    os.utime(tmp_path / "file", (1_600_000_000, 1_600_000_000))
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "inner").write_text("inner")
    return tmp_path


def test_in(coracle: Shore, web: pathlib.Path, here: pathlib.Path) -> None:
    """Each row of Docker's table."""
    answer = coracle.run("cp", f"{here}/file", "web:/tmp/new")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "Successfully copied 4B to web:/tmp/new\n"
    found = (web / "tmp/new").stat()
    assert (found.st_mode & 0o777, found.st_uid, int(found.st_mtime)) == (0o640, 0, 1_600_000_000)
    assert "there is no directory /tmp/none" in coracle.refused("cp", f"{here}/file", "web:/tmp/none/")
    coracle("cp", "-a", f"{here}/file", "web:/tmp")
    assert (web / "tmp/file").stat().st_uid == 7
    coracle("cp", f"{here}/dir", "web:tmp/fresh")
    assert os.listdir(web / "tmp/fresh") == ["inner"]
    coracle("cp", f"{here}/dir", "web:/tmp/fresh")
    assert sorted(os.listdir(web / "tmp/fresh")) == ["dir", "inner"]
    coracle("cp", f"{here}/dir/.", "web:/www")
    assert (web / "www/inner").read_text() == "inner"
    assert "a directory cannot be copied to a file" in coracle.refused("cp", f"{here}/dir", "web:/tmp/new")
    coracle("cp", f"{here}/file", "web:/tmp/fresh/dir/inner")
    assert (web / "tmp/fresh/dir/inner").read_text() == "file"
    (web / "tmp/fresh/file").mkdir()
    assert "is a directory, and what is copied is a file" in coracle.refused(
        "cp", f"{here}/file", "web:/tmp/fresh"
    )


def test_links(coracle: Shore, web: pathlib.Path, here: pathlib.Path) -> None:
    (here / "link").symlink_to("file")
    coracle("cp", "-q", f"{here}/link", "web:/tmp/link")
    assert os.readlink(web / "tmp/link") == "file"
    coracle("cp", "-L", f"{here}/link", "web:/tmp/followed")
    assert (web / "tmp/followed").read_text() == "file"
    (web / "tmp/away").symlink_to("/tmp/end")
    coracle("cp", f"{here}/file", "web:/tmp/away")
    assert (web / "tmp/end").read_text() == "file"


def test_out(harbour: Harbour, coracle: Shore, web: pathlib.Path, here: pathlib.Path) -> None:
    coracle("cp", "web:/www", f"{here}/fresh")
    assert os.listdir(here / "fresh") == ["index.html"]
    coracle("cp", "web:/www", f"{here}/fresh")
    assert sorted(os.listdir(here / "fresh")) == ["index.html", "www"]
    stop_container(harbour.engine, "web", timeout=0)
    record = harbour.record("web")
    coracle("container", "cp", f"{record.id[:12]}:/www/.", f"{here}/dir")
    assert sorted(os.listdir(here / "dir")) == ["index.html", "inner"]
    assert "there is no /none" in coracle.refused("cp", "web:/none", str(here))


def test_streams(coracle: Shore, web: pathlib.Path, here: pathlib.Path) -> None:
    os.link(web / "www/index.html", web / "www/other")
    done = subprocess.run([coracle.program, "cp", "web:/www", "-"], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert tar.getnames() == ["www", "www/index.html", "www/other"]
        assert tar.getmember("www/other").islnk()
        tar.extractall(here)
    assert (here / "www/index.html").read_bytes() == (web / "www/index.html").read_bytes()
    (web / "srv").mkdir()
    for data in (done.stdout, gzip.compress(done.stdout)):
        subprocess.run([coracle.program, "cp", "-", "web:/srv"], input=data, check=True, timeout=60)
        assert os.path.samefile(web / "srv/www/index.html", web / "srv/www/other")
        assert int((web / "srv/www").stat().st_mtime) == int((web / "www").stat().st_mtime)
    refused = subprocess.run(
        [coracle.program, "cp", "-", "web:/srv"], input=b"no tar" * 200, capture_output=True, check=False
    )
    assert b"it is not a tar file" in refused.stderr


def test_a_hostile_tar_stays_inside(coracle: Shore, web: pathlib.Path, here: pathlib.Path) -> None:
    with io.BytesIO() as buffer:
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            link = tarfile.TarInfo("out")
            link.type, link.linkname = tarfile.SYMTYPE, str(here)
            tar.addfile(link)
            for name in ("out/pwned", "../../../../up", "/absolute"):
                entry = tarfile.TarInfo(name)
                entry.size = 1
                tar.addfile(entry, io.BytesIO(b"x"))
        data = buffer.getvalue()
    done = subprocess.run(
        [coracle.program, "cp", "-", "web:/tmp"], input=data, capture_output=True, check=False
    )
    assert b"Traceback" not in done.stderr
    assert sorted(os.listdir(here)) == ["dir", "file"]
    assert not pathlib.Path("/absolute").exists()
    assert not pathlib.Path("/up").exists()


def test_links_out_of_a_container_are_not_followed_later(
    coracle: Shore, web: pathlib.Path, here: pathlib.Path
) -> None:
    (here / "canary").mkdir()
    (web / "srv/a").mkdir(parents=True)
    (web / "srv/a/sub").symlink_to(here / "canary")
    coracle("cp", "web:/srv/a", f"{here}/dir")
    (web / "srv/a/sub").unlink()
    (web / "srv/a/sub").mkdir()
    (web / "srv/a/sub/pwned").write_text("x")
    assert f"{here}/dir/a/sub of the target is not a directory" in coracle.refused(
        "cp", "web:/srv/a", f"{here}/dir"
    )
    (web / "srv/link").symlink_to(here / "canary")
    assert "what is copied is a link" in coracle.refused("cp", "web:/srv/link", f"{here}/link")
    coracle("cp", "web:/srv/link", f"{here}/dir")
    (web / "srv/link").unlink()
    (web / "srv/link").write_text("x")
    coracle("cp", "web:/srv/link", f"{here}/dir")
    assert not (here / "dir/link").is_symlink()
    assert os.listdir(here / "canary") == []


def test_what_is_no_use(coracle: Shore, web: pathlib.Path, here: pathlib.Path) -> None:
    assert "copying between containers is not supported" in coracle.refused("cp", "web:/a", "web:/b")
    assert "must specify at least one container source" in coracle.refused("cp", "./a", "./b")
    assert "No such container: none" in coracle.refused("cp", "none:/a", str(here))


@pytest.mark.parametrize("runs", [True, False])
def test_the_whole_root(coracle: Shore, harbour: Harbour, tmp_path: pathlib.Path, runs: bool) -> None:
    """What the container has written and what is mounted for it; nothing of the kernel's."""
    volume = {"type": "volume", "source": "data", "target": "/data"}
    harbour.create("web", "sleep", "1000", volumes=[volume])
    (tmp_path / "here").write_text("from outside")
    coracle("cp", str(tmp_path / "here"), "web:/data/file")
    if runs:
        coracle("start", "web")
    coracle("cp", "web:/", str(tmp_path / "new"))
    (tmp_path / "old").mkdir()
    coracle("cp", "web:/", str(tmp_path / "old"))
    for whole in (tmp_path / "new", tmp_path / "old"):
        assert (whole / "data" / "file").read_text() == "from outside"
        assert (whole / "bin" / "sh").is_symlink()
        assert [list((whole / name).iterdir()) for name in ("proc", "sys", "dev")] == [[], [], []]
    packed = subprocess.run([coracle.program, "cp", "web:/", "-"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = archive.getnames()
    assert "./data/file" in names
    assert not [name for name in names if name.startswith(("./proc/", "./sys/", "./dev/"))]
    why = "a view of the kernel's state" if runs else "which is there only while it runs"
    assert why in coracle.refused("cp", "web:/proc/cpuinfo", str(tmp_path / "cpuinfo"))
    assert not (tmp_path / "cpuinfo").exists()
