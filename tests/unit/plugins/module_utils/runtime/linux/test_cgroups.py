# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""On trees of plain files: what is written where. Real ones: tests/integration/linux/test_cgroups.py."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CleanupFailed, HostNotReady
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.cgroups import CgroupLayout

V2 = "30 24 0:26 / {root} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
V1 = """\
32 31 0:29 / {root}/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / {root}/cpuset rw - cgroup cgroup rw,cpuset,clone_children
34 31 0:31 / {root}/memory rw - cgroup cgroup rw,memory
35 31 0:32 / {root}/freezer rw - cgroup cgroup rw,freezer
36 31 0:36 / {root}/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd
37 31 0:31 / {root}/elsewhere/memory rw - cgroup cgroup rw,memory
"""
UNIFIED = "39 31 0:38 / {root}/unified rw - cgroup2 cgroup2 rw\n"


def read_layout(root: pathlib.Path, lines: str) -> CgroupLayout:
    mountinfo = root / "mountinfo"
    mountinfo.write_text(lines.format(root=root))
    return cgroups.layout(str(mountinfo))


def group(place: pathlib.Path, **files: str) -> pathlib.Path:
    """A directory with control files; `__` in a name stands for the dot."""
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text)
    return place


# layout


def test_v2(tmp_path: pathlib.Path) -> None:
    group(tmp_path, cgroup__controllers="cpuset cpu io memory pids\n")
    found = read_layout(tmp_path, V2)
    assert found.mode == "v2"
    assert found.hierarchies == (str(tmp_path),)
    assert found.controllers["memory"] == found.unified == str(tmp_path)
    assert cgroups.available_controllers(found) == {"cpuset", "cpu", "io", "memory", "pids"}


def test_v1(tmp_path: pathlib.Path) -> None:
    found = read_layout(tmp_path, V1)
    assert found.mode == "v1"
    assert found.unified is None
    assert [pathlib.Path(place).name for place in found.hierarchies] == [
        "cpu,cpuacct",
        "cpuset",
        "memory",
        "freezer",
        "systemd",
    ]
    assert found.controllers["cpu"] == found.controllers["cpuacct"] == str(tmp_path / "cpu,cpuacct")
    assert cgroups.available_controllers(found) == {"cpu", "cpuacct", "cpuset", "memory", "freezer"}


def test_hybrid(tmp_path: pathlib.Path) -> None:
    group(tmp_path / "unified", cgroup__controllers="\n")
    found = read_layout(tmp_path, V1 + UNIFIED)
    assert found.mode == "hybrid"
    assert found.hierarchies[-1] == found.unified == str(tmp_path / "unified")
    cgroups.check_cgroups(found)


def test_a_controller_left_on_v2_is_named_with_the_cure(tmp_path: pathlib.Path) -> None:
    group(tmp_path / "unified", cgroup__controllers="hugetlb\n")
    found = read_layout(tmp_path, V1 + UNIFIED)
    place = tmp_path / "hugetlb"
    with pytest.raises(HostNotReady) as caught:
        cgroups.check_cgroups(found)
    assert "controller hugetlb is on v2" in caught.value.message
    assert f"mkdir -p {place} && mount -t cgroup -o hugetlb hugetlb {place}" in caught.value.hint


def test_no_control_groups_at_all(tmp_path: pathlib.Path) -> None:
    with pytest.raises(HostNotReady, match="no control groups are mounted"):
        read_layout(tmp_path, "27 1 254:0 / / rw - ext4 /dev/vda rw\n")


# join


@pytest.fixture
def v2(tmp_path: pathlib.Path) -> CgroupLayout:
    group(tmp_path, cgroup__controllers="cpu memory\n", cgroup__subtree_control="cpu\n")
    return read_layout(tmp_path, V2)


def written(place: pathlib.Path, file: str) -> str:
    return (place / file).read_text()


def premade(place: pathlib.Path, **files: str) -> None:
    """What the kernel puts into a new group; a plain directory has it only when it is made before."""
    group(place, cgroup__procs="", cgroup__subtree_control="", **files)


def test_v2_hands_controllers_down_to_the_parent_of_the_leaf_only(
    tmp_path: pathlib.Path, v2: CgroupLayout
) -> None:
    premade(tmp_path / "coracle", cgroup__controllers="cpu memory")
    premade(tmp_path / "coracle" / "conmon", cgroup__controllers="cpu memory")
    cgroups.join(4711, "coracle/conmon", v2)
    assert written(tmp_path, "cgroup.subtree_control").startswith("+memory")
    assert written(tmp_path / "coracle", "cgroup.subtree_control") == "+memory"  # the last of two writes
    assert written(tmp_path / "coracle" / "conmon", "cgroup.subtree_control") == ""
    assert written(tmp_path / "coracle" / "conmon", "cgroup.procs") == "4711"
    assert written(tmp_path / "coracle", "cgroup.procs") == ""


def test_v2_goes_on_without_a_controller_that_is_refused(
    tmp_path: pathlib.Path, v2: CgroupLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = cgroups._write

    def refuse(path: str, text: str) -> None:
        if path.endswith("subtree_control"):
            raise OSError(16, "Device or resource busy")
        write(path, text)

    monkeypatch.setattr(cgroups, "_write", refuse)
    premade(tmp_path / "leaf")
    cgroups.join(4711, "leaf", v2)
    assert written(tmp_path / "leaf", "cgroup.procs") == "4711"


def test_v1_gives_a_new_cpuset_what_its_parent_has(tmp_path: pathlib.Path) -> None:
    found = read_layout(tmp_path, V1)
    group(tmp_path / "cpuset", cpuset__cpus="0-1\n", cpuset__mems="0\n")
    for name in ("cpu,cpuacct", "memory", "freezer", "systemd", "cpuset"):
        premade(tmp_path / name / "coracle" / "conmon")
    group(tmp_path / "cpuset" / "coracle", cpuset__cpus="\n", cpuset__mems="\n")
    group(tmp_path / "cpuset" / "coracle" / "conmon", cpuset__cpus="\n", cpuset__mems="0\n")
    cgroups.join(4711, "coracle/conmon", found)
    assert written(tmp_path / "cpuset" / "coracle", "cpuset.cpus") == "0-1"
    assert written(tmp_path / "cpuset" / "coracle" / "conmon", "cpuset.cpus") == "0-1"
    assert written(tmp_path / "cpuset" / "coracle" / "conmon", "cpuset.mems") == "0\n"
    for name in ("cpu,cpuacct", "memory", "freezer", "systemd", "cpuset"):
        assert written(tmp_path / name / "coracle" / "conmon", "cgroup.procs") == "4711"


# looking and removing


def test_processes_of_a_group_and_those_below(tmp_path: pathlib.Path, v2: CgroupLayout) -> None:
    group(tmp_path / "c", cgroup__procs="12\n7\n")
    group(tmp_path / "c" / "init.scope", cgroup__procs="100\n")
    assert cgroups.processes("c", v2) == [7, 12, 100]
    assert cgroups.processes("missing", v2) == []


@pytest.mark.parametrize(
    ("events", "frozen"), [("populated 1\nfrozen 1\n", True), ("populated 1\nfrozen 0\n", False)]
)
def test_frozen_on_v2(tmp_path: pathlib.Path, v2: CgroupLayout, events: str, frozen: bool) -> None:
    group(tmp_path / "c", cgroup__events=events)
    assert cgroups.is_frozen("c", v2) is frozen
    assert not cgroups.is_frozen("missing", v2)


def test_a_parent_must_not_have_processes_on_v2(tmp_path: pathlib.Path, v2: CgroupLayout) -> None:
    top = pathlib.Path(v2.unified or "")
    group(top / "batch", cgroup__procs="")
    group(top / "batch/busy", cgroup__procs="1\n")
    cgroups.check_parent("new/below", "cgroup_parent", v2)
    cgroups.check_parent("batch/night", "cgroup_parent", v2)
    for path in ("batch/busy", "batch/busy/below"):
        with pytest.raises(HostNotReady, match="the control group /batch/busy has processes of its own"):
            cgroups.check_parent(path, "cgroup_parent", v2)
    cgroups.check_parent("batch/busy", "cgroup_parent", v2._replace(mode="hybrid"))


@pytest.mark.parametrize(("state", "frozen"), [("FROZEN\n", True), ("THAWED\n", False), ("FREEZING\n", True)])
def test_frozen_on_v1(tmp_path: pathlib.Path, state: str, frozen: bool) -> None:
    group(tmp_path / "freezer" / "c", freezer__state=state)
    found = read_layout(tmp_path, V1)
    assert cgroups.is_frozen("c", found) is frozen
    assert not cgroups.is_frozen("missing", found)


@pytest.mark.parametrize(("count", "killed"), [(0, False), (1, True), (12, True)])
def test_killed_for_memory(tmp_path: pathlib.Path, v2: CgroupLayout, count: int, killed: bool) -> None:
    group(tmp_path / "c", memory__events=f"low 0\noom 5\noom_kill {count}\noom_group_kill 0\n")
    assert cgroups.oom_killed("c", v2) is killed
    group(
        tmp_path / "memory" / "c", memory__oom_control=f"oom_kill_disable 0\nunder_oom 0\noom_kill {count}\n"
    )
    assert cgroups.oom_killed("c", read_layout(tmp_path, V1)) is killed
    assert not cgroups.oom_killed("missing", v2)


def test_without_a_controller_nothing_is_claimed(tmp_path: pathlib.Path) -> None:
    found = CgroupLayout("v1", {}, None, ())
    assert not cgroups.oom_killed("c", found)
    assert not cgroups.is_frozen("c", found)


def test_removal_goes_bottom_up_and_tolerates_what_is_gone(tmp_path: pathlib.Path, v2: CgroupLayout) -> None:
    (tmp_path / "c" / "a" / "b").mkdir(parents=True)
    cgroups.remove("c", v2)
    cgroups.remove("c", v2)
    assert not (tmp_path / "c").exists()


def test_removal_names_what_it_could_not_remove(tmp_path: pathlib.Path, v2: CgroupLayout) -> None:
    group(tmp_path / "c" / "busy", stays="a plain file, so rmdir fails\n")
    (tmp_path / "c" / "free").mkdir()
    with pytest.raises(CleanupFailed, match=r"remove control group c: .*busy"):
        cgroups.remove("c", v2)
    assert not (tmp_path / "c" / "free").exists()
