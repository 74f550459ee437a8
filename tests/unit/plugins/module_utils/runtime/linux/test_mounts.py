# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pathlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.mounts import Mount

MOUNTINFO = """\
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
22 27 0:21 / /proc rw,relatime shared:5 master:2 - proc proc rw
40 27 0:40 / /var/lib/coracle/containers/a/rootfs rw - overlay overlay rw,lowerdir=/x:/y
41 27 0:41 /sub /mnt/with\\040blank\\011tab\\012line\\134slash rw - tmpfs tmpfs rw
42 40 0:42 / /var/lib/coracle/containers/a/rootfs rw - tmpfs tmpfs rw
43 27 0:43 / /var/lib/coracle2 rw - xfs /dev/vdb rw
44 27 0:4 net:[4026532278] /run/coracle/netns/a rw shared:9 - nsfs nsfs rw
"""


@pytest.fixture
def mountinfo(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTINFO)
    found = mounts.mounts(str(path))
    monkeypatch.setattr(mounts, "mounts", lambda: found)
    return str(path)


def test_the_fields_of_a_line(mountinfo: str) -> None:
    found = mounts.mounts()
    assert found[0] == Mount("/", "ext4", "/", "rw,discard")
    assert found[1] == Mount("/proc", "proc", "/", "rw")
    assert found[3] == Mount("/mnt/with blank\ttab\nline\\slash", "tmpfs", "/sub", "rw")
    assert found[-1] == Mount("/run/coracle/netns/a", "nsfs", "net:[4026532278]", "rw")


def test_below_means_this_directory_and_not_one_that_begins_alike(mountinfo: str) -> None:
    rootfs = "/var/lib/coracle/containers/a/rootfs"
    assert mounts.mounts_below("/var/lib/coracle") == [rootfs, rootfs]
    assert mounts.mounts_below(rootfs) == [rootfs, rootfs]
    assert mounts.mounts_below("/var/lib/coracle/containers/a/root") == []
    assert len(mounts.mounts_below("/")) == 7


def test_mounted_or_not(mountinfo: str) -> None:
    assert mounts.is_mounted("/var/lib/coracle2/")
    assert not mounts.is_mounted("/var/lib/coracle")


@pytest.mark.parametrize(
    ("path", "fstype"),
    [
        ("/etc/x", "ext4"),
        ("/var/lib/coracle2/x", "xfs"),
        ("/var/lib/coracle22", "ext4"),
        ("/var/lib/coracle/containers/a/rootfs/bin", "tmpfs"),
    ],
)
def test_the_file_system_below_a_path(mountinfo: str, path: str, fstype: str) -> None:
    assert mounts.filesystem_type(path) == fstype
