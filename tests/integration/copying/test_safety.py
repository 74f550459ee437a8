# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What must hold whatever happens: strangers who swap links, kills, full disks."""

from __future__ import annotations

import os
import pathlib
import resource
import signal
import subprocess
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.compare import Wishes
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.destinations import Destination
from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.tree_source import TreeSource
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    CoracleError,
    StorageError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.copy_by_docker import (
    copy_in,
    copy_out,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.deliver import (
    deliver,
    differences_at,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.reach_files import (
    container_files,
    host_files,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until
from ansible_collections.coracle.engine.tests.integration.copying.test_places import (
    SLEEP,
    data,
    get,
    inside,
    put,
    volume,
)

SWAP = """
mkdir -p /srv/data/real; ln -s {canary} /srv/data/link
while :; do
  mv /srv/data/real /srv/data/tmp; mv /srv/data/link /srv/data/real; mv /srv/data/tmp /srv/data/link
  mv /srv/data/link /srv/data/tmp; mv /srv/data/real /srv/data/link; mv /srv/data/tmp /srv/data/real
done
"""


def state(place: pathlib.Path) -> list[tuple[t.Any, ...]]:
    found = []
    for path in [place, *sorted(place.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found.append((str(path), status.st_mode, status.st_uid, status.st_nlink, status.st_mtime_ns, content))
    return found


@pytest.mark.slow
def test_links_that_are_swapped_meanwhile(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    """CVE-2018-15664: 500 copies, in and out, while the container exchanges a directory and a link."""
    canary, source, got = tmp_path / "canary", tmp_path / "source", tmp_path / "got"
    for place in (canary, canary / "sub", source, got):
        place.mkdir()
    (canary / "victim").write_text("untouched")
    (source / "victim").write_text("from outside")
    (source / "sub").mkdir()
    (source / "sub" / "more").write_text("more")
    before = state(canary)
    harbour.start("web", "sh", "-c", SWAP.format(canary=canary), volumes=[volume("data", "/srv/data")])
    wait_until(lambda: os.path.lexists(data(harbour) / "real"), bool)
    done = {"in": 0, "out": 0, "refused": 0}
    for number in range(250):
        fresh = got / str(number)
        fresh.mkdir()
        (source / "victim").write_text(f"from outside {number}")
        copies = [
            ("in", copy_in, f"{source}/.", "/srv/data/real"),
            ("out", copy_out, "/srv/data/real/.", str(fresh if number % 2 else got)),
        ]
        for way, act, *paths in copies:
            try:
                act(harbour.engine, "web", *paths)
                done[way] += 1
            except CoracleError:
                done["refused"] += 1
    assert state(canary) == before
    assert not any("untouched" in path.read_text() for path in got.rglob("victim") if path.is_file())
    assert done["in"] > 10
    assert done["out"] > 10


def test_a_kill_leaves_the_old_file_and_the_next_copy_clears_up(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP, volumes=[volume("data", "/srv/data")])
    put(harbour, "/srv/data/file", "old")
    code = """
import os, time
compare, text_source = load("copying.compare"), load("copying.text_source")
Destination = load("copying.destinations").Destination
def stuck(*_words, **_more):
    print("staged", flush=True)
    time.sleep(1000)
os.rename = stuck
reach, work = load("operations.reach_files"), load("operations.deliver")
source = text_source.TextSource(b"new")
with reach.container_files(engine, "web", writing=True) as reached:
    to, wishes = Destination("/srv/data/file"), compare.Wishes()
    work.deliver(source, reached, to, wishes, work.differences_at(source, reached, to, wishes))
"""
    process = subprocess.Popen(harbour.python(code), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "staged\n"
    [staging] = [name for name in os.listdir(data(harbour)) if name != "file"]
    put(harbour, "/srv/data/other")
    assert staging in os.listdir(data(harbour)), "somebody is using it"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert get(harbour, "/srv/data/file") == "old"
    assert put(harbour, "/srv/data/file", "new") == [("content",)]
    assert sorted(os.listdir(data(harbour))) == ["file", "other"]


def test_a_full_disk_leaves_the_old_file(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    harbour.start("web", *SLEEP, tmpfs={"/small": "size=64k"})
    put(harbour, "/small/file", "old")
    (tmp_path / "file").write_bytes(b"x" * (1 << 20))
    with pytest.raises(StorageError, match="No space left"):
        copy_in(harbour.engine, "web", str(tmp_path / "file"), "/small/file")
    assert inside(harbour, "/small/file").read_text() == "old"
    assert os.listdir(inside(harbour, "/small")) == ["file"]


def test_a_large_file_in_little_memory(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    """Ten gigabytes, of which 64 MiB are data, and 256 MiB of data."""
    harbour.start("web", *SLEEP, volumes=[volume("data", "/srv/data")])
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(10 << 30)
        for offset in range(0, 10 << 30, 160 << 20):
            file.seek(offset)
            file.write(os.urandom(1 << 20))
    with open(tmp_path / "dense", "wb") as file:
        for _piece in range(256):
            file.write(os.urandom(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    for name in ("sparse", "dense"):
        copy_in(harbour.engine, "web", str(tmp_path / name), "/srv/data/")
    took = time.monotonic() - begun
    assert took < 60
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024
    found = (data(harbour) / "sparse").stat()
    assert (found.st_size, found.st_blocks * 512 < 100 << 20) == (10 << 30, True)
    subprocess.run(["cmp", tmp_path / "dense", data(harbour) / "dense"], check=True)
    (data(harbour) / "dense").unlink()
    (data(harbour) / "sparse").unlink()


def test_ten_thousand_files(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    harbour.start("web", *SLEEP)
    for number in range(10_000):
        directory = tmp_path / str(number % 100)
        directory.mkdir(exist_ok=True)
        (directory / str(number)).write_text(f"file {number}\n")
    times = []
    host = host_files()
    for expected in (10_101, 0):
        begun = time.monotonic()
        with container_files(harbour.engine, "web", writing=True) as reached:
            source, to, wishes = TreeSource(host, str(tmp_path)), Destination("/srv"), Wishes()
            changes = differences_at(source, reached, to, wishes)
            deliver(source, reached, to, wishes, changes)
        times.append(time.monotonic() - begun)
        assert len(changes) == expected
        assert times[-1] < 60
    host.close()
    os.close(host.root)
    assert inside(harbour, "/srv/42/142").read_text() == "file 142\n"


def test_what_is_mounted_in_a_directory_stays(harbour: Harbour) -> None:
    """The kernel would let us replace a mount point of another namespace, and take what is mounted there."""
    harbour.start("web", *SLEEP, volumes=[volume("data", "/srv/outer/data")])
    put(harbour, "/srv/outer/data/file", "precious")
    wishes = Wishes(replace_kind=True)
    host = host_files()
    source = TreeSource(host, "/etc/hostname", follow=True)
    for path in ("/srv/outer", "/srv/outer/data"):
        with (
            pytest.raises(Conflict, match="mount"),
            container_files(harbour.engine, "web", writing=True) as at,
        ):
            differences_at(source, at, Destination(path), wishes)
    host.close()
    os.close(host.root)
    assert inside(harbour, "/srv/outer/data/file").read_text() == "precious"
