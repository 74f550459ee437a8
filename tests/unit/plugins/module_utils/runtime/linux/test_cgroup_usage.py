# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Usage of groups, from files as kernels wrote them: v1 by Linux 6.18, v2 by Linux 6.1 (`recorded/`), each
for a shell that wrote 20 MiB to a file, read some of it and counted to 20,000. Real groups:
tests/integration/container/test_use.py and tests/system.
"""

from __future__ import annotations

import pathlib
import shutil

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.cgroup_usage import (
    GroupUsage,
    group_usage,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.cgroups import CgroupLayout

RECORDED = pathlib.Path(__file__).parent / "recorded"
V1_NAMES = ("cpuacct", "memory", "blkio", "pids")
BLKIO = """\
8:16 Read 4096
8:16 Write 0
8:16 Sync 4096
8:16 Async 0
8:16 Discard 0
8:16 Total 4096
8:0 Read 1000000
8:0 Write 2000000
8:0 Sync 3000000
8:0 Async 0
8:0 Discard 0
8:0 Total 3000000
Total 3004096
"""


def v1(root: pathlib.Path) -> CgroupLayout:
    places = {name: str(root / name) for name in V1_NAMES}
    return CgroupLayout("v1", places, None, tuple(places.values()))


def v2(root: pathlib.Path) -> CgroupLayout:
    controllers = dict.fromkeys(("cpu", "memory", "io", "pids"), str(root))
    return CgroupLayout("v2", controllers, str(root), (str(root),))


def copied(version: str, to: pathlib.Path) -> pathlib.Path:
    shutil.copytree(RECORDED / version, to / version)
    return to / version


def test_v2() -> None:
    assert group_usage("coracle/one", v2(RECORDED / "v2")) == GroupUsage(
        cpu=1_595_035_000,
        memory=22_138_880,
        inactive_file=20_979_712,
        memory_limit=64 << 20,
        block_read=6_643_712,
        block_written=20_971_520,
        processes=3,
    )


def test_v1() -> None:
    assert group_usage("coracle/one", v1(RECORDED / "v1")) == GroupUsage(
        cpu=35_199_133,
        memory=21_270_528,
        inactive_file=20_983_808,
        memory_limit=64 << 20,
        block_read=0,
        block_written=0,
        processes=1,
    )


def test_block_devices_of_v1(tmp_path: pathlib.Path) -> None:
    """Where the kernel counts: the sum over all devices, of the group and those below it."""
    root = copied("v1", tmp_path)
    (root / "blkio/coracle/one/blkio.throttle.io_service_bytes_recursive").write_text(BLKIO)
    found = group_usage("coracle/one", v1(root))
    assert found is not None
    assert (found.block_read, found.block_written) == (1_004_096, 2_000_000)


def test_hybrid(tmp_path: pathlib.Path) -> None:
    """Some controllers here, some there."""
    one, two = copied("v1", tmp_path), copied("v2", tmp_path)
    places = {"memory": str(one / "memory"), "pids": str(one / "pids"), "cpu": str(two), "io": str(two)}
    at = CgroupLayout("hybrid", places, str(two), (str(one / "memory"), str(one / "pids"), str(two)))
    found = group_usage("coracle/one", at)
    assert found is not None
    assert (found.cpu, found.block_read) == (1_595_035_000, 6_643_712)
    assert (found.memory, found.processes) == (21_270_528, 1)


def test_no_limit_and_the_limit_of_a_group_above(tmp_path: pathlib.Path) -> None:
    root = copied("v2", tmp_path)
    for own, above, limit in (("max", "max", 0), ("max", "4096", 4096), ("8192", "4096", 4096)):
        (root / "coracle/one/memory.max").write_text(f"{own}\n")
        (root / "coracle/memory.max").write_text(f"{above}\n")
        found = group_usage("coracle/one", v2(root))
        assert found is not None
        assert found.memory_limit == limit
    root = copied("v1", tmp_path)
    stat = root / "memory/coracle/one/memory.stat"
    stat.write_text(stat.read_text().replace("limit 67108864", "limit 9223372036854771712"))
    found = group_usage("coracle/one", v1(root))
    assert found is not None
    assert found.memory_limit == 0


def test_no_group() -> None:
    assert group_usage("coracle/two", v2(RECORDED / "v2")) is None
    assert group_usage("coracle/two", v1(RECORDED / "v1")) is None


def test_controllers_that_the_host_lacks() -> None:
    at = CgroupLayout("v1", {"pids": str(RECORDED / "v1/pids")}, None, (str(RECORDED / "v1/pids"),))
    assert group_usage("coracle/one", at) == GroupUsage(0, 0, 0, 0, 0, 0, 1)
