# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One host, ten and twenty hosts behind real ssh, each with the tar of a small root file system to make an
image of.
"""

from __future__ import annotations

import pathlib
import shutil
import tempfile
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.rootfs import write_busybox_rootfs
from ansible_collections.coracle.engine.tests.integration.ssh.hosts import Hosts, remote_hosts


@pytest.fixture(scope="module")
def one_host() -> t.Iterator[Hosts]:
    yield from _hosts(1)


@pytest.fixture(scope="module")
def ten_hosts() -> t.Iterator[Hosts]:
    yield from _hosts(10)


@pytest.fixture(scope="module")
def twenty_hosts() -> t.Iterator[Hosts]:
    yield from _hosts(20)


def _hosts(count: int) -> t.Iterator[Hosts]:
    """The directory must be readable by the ordinary user who logs in, and on a disk that can carry an
    overlay.
    """
    work = pathlib.Path(tempfile.mkdtemp(prefix="coracle-ssh-", dir="/var/tmp"))
    work.chmod(0o755)
    try:
        write_busybox_rootfs(work / "busybox.tar")
        with remote_hosts(work, count) as hosts:
            yield hosts
    finally:
        shutil.rmtree(work)
