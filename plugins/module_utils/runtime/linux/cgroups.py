# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Control groups with one face for v1, hybrid and v2. Paths are relative to the root of every hierarchy.

    v1      one hierarchy per controller or pair of them, plus named ones such as systemd's
    hybrid  the same, plus a v2 hierarchy beside them, with no controllers or with those that v1 did not take
    v2      one hierarchy for all. Groups hand controllers down by `cgroup.subtree_control`; one that does so
            has no processes of its own: containers are `<parent>/<id>`, conmons sit in `<parent>/conmon`

Source: Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst of the kernel.
"""

from __future__ import annotations

import errno
import functools
import os
import time
import typing as t

from ..errors import CleanupFailed, HostNotReady, collecting
from .mounts import mounts

_CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")
_V1_SWITCHES = frozenset(
    ("rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "none", "all", "favordynmods")
)
_REMOVE_ATTEMPTS = 20
_REMOVE_PAUSE = 0.01  # seconds; the kernel takes a moment to let go of a group whose last process just ended


class CgroupLayout(t.NamedTuple):
    """`controllers`: mount point by controller; `unified`: mount point of the v2 hierarchy; `hierarchies`:
    all mount points, each once.
    """

    mode: t.Literal["v1", "hybrid", "v2"]
    controllers: dict[str, str]
    unified: str | None
    hierarchies: tuple[str, ...]


@functools.cache
def layout(mountinfo: str = "/proc/self/mountinfo") -> CgroupLayout:
    """What this host has mounted. Raises HostNotReady when there are no control groups at all.

    Looked up once in the life of a process: a start asks half a dozen times, and the kernel takes a
    millisecond to list the mounts of a host with a hundred containers.
    """
    controllers: dict[str, str] = {}
    hierarchies: list[str] = []
    unified = None
    for mount in mounts(mountinfo):
        if mount.fstype == "cgroup":
            names = [name for name in mount.options.split(",") if _is_hierarchy_name(name)]
            if any(name not in controllers for name in names):
                hierarchies.append(mount.target)
            for name in names:
                controllers.setdefault(name, mount.target)
        elif mount.fstype == "cgroup2" and unified is None:
            unified = mount.target
    if unified is None and not hierarchies:
        raise HostNotReady(
            "no control groups are mounted where this process is",
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup; instead of `ip netns exec`, which hides them: nsenter",
        )
    mode: t.Literal["v1", "hybrid", "v2"] = "v1" if unified is None else "hybrid" if hierarchies else "v2"
    if unified is not None:
        hierarchies.append(unified)
        for name in _words(unified, "cgroup.controllers"):
            controllers.setdefault(name, unified)
    return CgroupLayout(mode, controllers, unified, tuple(hierarchies))


def layout_for_looking() -> CgroupLayout:
    """The same for who only looks: an empty one where no groups can be seen."""
    try:
        return layout()
    except HostNotReady:
        return CgroupLayout("v1", {}, None, ())


def _is_hierarchy_name(option: str) -> bool:
    """The options of a v1 mount are its controllers, or `name=…`, among a few switches."""
    return option.startswith("name=") or (option not in _V1_SWITCHES and "=" not in option)


def available_controllers(at: CgroupLayout | None = None) -> frozenset[str]:
    """Controllers that limits can be set with; v1's named hierarchies are not among them."""
    return frozenset(name for name in (at or layout()).controllers if not name.startswith("name="))


def check_cgroups(at: CgroupLayout | None = None) -> None:
    """Raise HostNotReady, with the exact remedy, when crun would refuse to start containers here."""
    at = at or layout()
    if at.mode == "hybrid" and at.unified is not None:
        stray = sorted(name for name, mount_point in at.controllers.items() if mount_point == at.unified)
        if stray:
            place = os.path.join(os.path.dirname(at.unified), stray[0])
            raise HostNotReady(
                f"cgroup controller {stray[0]} is on v2 while others are on v1: crun starts nothing",
                f"mkdir -p {place} && mount -t cgroup -o {stray[0]} {stray[0]} {place};"
                " the role coracle.engine.host does it",
            )


# Groups


def check_parent(relative_path: str, option: str, at: CgroupLayout | None = None) -> None:
    """Raise HostNotReady for a group below which nothing can have limits: on v2 one with processes of its
    own. One that does not exist will be made. Source: Documentation/admin-guide/cgroup-v2.rst, "No Internal
    Process Constraint".
    """
    at = at or layout()
    if at.mode != "v2" or at.unified is None:
        return
    names = relative_path.split("/")
    for depth in range(1, len(names) + 1):
        path = "/".join(names[:depth])
        if _words(os.path.join(at.unified, path), "cgroup.procs"):
            raise HostNotReady(
                f"{option}: the control group /{path} has processes of its own",
                "choose a group that has none: control groups v2 limit nothing below such a one",
            )


def join(pid: int, relative_path: str, at: CgroupLayout | None = None) -> None:
    """Move a process into the group in every hierarchy, made where it is missing."""
    at = at or layout()
    for hierarchy in at.hierarchies:
        _make_group(hierarchy, relative_path, is_v2=hierarchy == at.unified)
        _write(os.path.join(hierarchy, relative_path, "cgroup.procs"), str(pid))


def take_over(pid: int, relative_path: str, at: CgroupLayout | None = None) -> None:
    """Move a process out of the groups of whoever started it. A v1 hierarchy in which it is in no group is
    left alone, as each move costs a millisecond; in one hierarchy at least the process is ours afterwards.
    """
    at = at or layout()
    home = at.unified or at.hierarchies[0]
    for hierarchy in {home, *_hierarchies_with_groups(pid, at)}:
        _make_group(hierarchy, relative_path, is_v2=hierarchy == at.unified)
        _write(os.path.join(hierarchy, relative_path, "cgroup.procs"), str(pid))


def leave(pid: int, at: CgroupLayout | None = None) -> None:
    """Move a process out of every group, to the root of each hierarchy."""
    for hierarchy in _hierarchies_with_groups(pid, at or layout()):
        _write(os.path.join(hierarchy, "cgroup.procs"), str(pid))


def _hierarchies_with_groups(pid: int, at: CgroupLayout) -> set[str]:
    """Mount points of the hierarchies in which the process is not at the root. Source: cgroups(7),
    /proc/[pid]/cgroup.
    """
    found: set[str] = set()
    for line in _read(f"/proc/{pid}/cgroup").splitlines():
        _number, names, path = line.split(":", 2)
        mount_point = at.controllers.get(names.split(",")[0]) if names else at.unified
        if path != "/" and mount_point is not None:
            found.add(mount_point)
    return found


def _make_group(hierarchy: str, relative_path: str, *, is_v2: bool) -> None:
    parent = hierarchy
    for name in relative_path.split("/"):
        group = os.path.join(parent, name)
        if is_v2:
            _hand_down_controllers(parent)
        try:
            os.mkdir(group, 0o755)
        except FileExistsError:
            pass
        if not is_v2:
            _inherit_cpuset(parent, group)
        parent = group


def _hand_down_controllers(group: str) -> None:
    """Enable for the children of a v2 group what it has itself. A controller that the kernel will not hand
    down (EBUSY, ENOTSUP…) is left: the OCI runtime reports it if a limit needs it.
    """
    missing = set(_words(group, "cgroup.controllers")) - set(_words(group, "cgroup.subtree_control"))
    for name in sorted(missing):
        try:
            _write(os.path.join(group, "cgroup.subtree_control"), f"+{name}")
        except OSError:
            continue


def _inherit_cpuset(parent: str, group: str) -> None:
    """A new v1 cpuset has no CPUs and no memory nodes and takes no process (ENOSPC) before it gets some."""
    for name in _CPUSET_FILES:
        own = os.path.join(group, name)
        if os.path.exists(own) and not _read(own).strip():
            _write(own, _read(os.path.join(parent, name)).strip())


def remove(relative_path: str, at: CgroupLayout | None = None) -> None:
    """Remove the group and those below it from every hierarchy; fine if it is not there. Kills nothing: a
    group with processes stays and is named in the CleanupFailed.
    """
    errors: list[BaseException] = []
    for hierarchy in (at or layout()).hierarchies:
        for group, _names, _files in os.walk(os.path.join(hierarchy, relative_path), topdown=False):
            with collecting(errors):
                _remove_group(group)
    if errors:
        raise CleanupFailed(f"remove control group {relative_path}", errors)


def _remove_group(group: str) -> None:
    for attempt in range(_REMOVE_ATTEMPTS):
        try:
            return os.rmdir(group)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EBUSY or attempt + 1 == _REMOVE_ATTEMPTS:
                raise
            time.sleep(_REMOVE_PAUSE)
    return None


# What no OCI runtime does for us


def inherited_sets(relative_path: str, at: CgroupLayout | None = None) -> dict[str, str]:
    """The processors and memory nodes that the group has without a limit of its own: `{"cpus": "0-3",
    "mems": "0"}`; empty texts where they cannot be limited.
    """
    at = at or layout()
    hierarchy = at.controllers.get("cpuset", "")
    suffix = ".effective" if hierarchy == at.unified else ""
    parent = os.path.join(hierarchy, os.path.dirname(relative_path))
    return {
        name.partition(".")[2]: " ".join(_words(parent, name + suffix)) if hierarchy else ""
        for name in _CPUSET_FILES
    }


def lift_limit(relative_path: str, controller: str, at: CgroupLayout | None = None) -> None:
    """Let the group use all processor time (`cpu`), or have any number of processes (`pids`)."""
    at = at or layout()
    hierarchy = at.controllers[controller]
    if controller == "pids":
        file, text = "pids.max", "max"
    elif hierarchy == at.unified:
        file, text = "cpu.max", "max"
    else:
        file, text = "cpu.cfs_quota_us", "-1"
    _write(os.path.join(hierarchy, relative_path, file), text)


# What the kernel says about a group


def processes(relative_path: str, at: CgroupLayout | None = None) -> list[int]:
    """PIDs in the group and below it, in any hierarchy; none when there is no such group."""
    pids: set[int] = set()
    for hierarchy in (at or layout()).hierarchies:
        for group, _names, _files in os.walk(os.path.join(hierarchy, relative_path)):
            pids.update(map(int, _words(group, "cgroup.procs")))
    return sorted(pids)


def is_frozen(relative_path: str, at: CgroupLayout | None = None) -> bool:
    """Are the processes of the group stopped by the freezer (a paused container)?"""
    at = at or layout_for_looking()
    if at.mode == "v2":
        return _value(at.unified, relative_path, "cgroup.events", "frozen") == 1
    state = _words(os.path.join(at.controllers.get("freezer", ""), relative_path), "freezer.state")
    return state in (["FROZEN"], ["FREEZING"])  # the latter until the last process has noticed


def oom_killed(relative_path: str, at: CgroupLayout | None = None) -> bool:
    """Has the kernel killed a process of the group because memory ran out? The group must still be there."""
    at = at or layout()
    name = "memory.events" if at.mode == "v2" else "memory.oom_control"
    return _value(at.controllers.get("memory"), relative_path, name, "oom_kill") > 0


def _value(hierarchy: str | None, relative_path: str, file: str, key: str) -> int:
    """The number after `key` in a file of `key number` lines; 0 when there is none."""
    words = _words(os.path.join(hierarchy or "", relative_path), file)
    return next((int(value) for word, value in zip(words, words[1:]) if word == key), 0)


def _words(group: str, file: str) -> list[str]:
    """The words of a control file; none when the group or the file is not there (any more)."""
    try:
        return _read(os.path.join(group, file)).split()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV):
            return []
        raise


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    """One write(2), which is what control files want."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
