# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`mounts` of the runtime specification, in the order in which they are made: parents before children.

`/dev` is always a fresh tmpfs, whatever the image has there (CVE-2026-47766, CVE-2026-41579). Targets in
`/proc`, `/sys` and `/dev` are refused but for the few that people need: a mount there can take away what
masks the host's secrets (CVE-2025-31133), or hand the runtime a false `/proc` to write its security labels
to (CVE-2019-16884).
"""

from __future__ import annotations

import os
import typing as t

from ..errors import IntegrityError, InvalidInput, NotFound
from ..paths import Paths
from .attachments import HOST, NONE
from .config import ContainerConfig
from .effective import Effective
from .host_facts import HostFacts, find_init_program
from .mount_values import PROPAGATIONS, READ_ONLY_ON_TOP, RESERVED_DEVICES
from .secret_values import secret_targets
from .spec_process import INIT_PATH
from .storage import VolumeMount, asked_mounts
from .unit_values import NOTIFY_DIRECTORY

DEFAULT_SHM_SIZE = 64 * 1024**2
_TMPFS_MODE = 0o1777  # where the image has no directory

GENERATED_FILES = {"/etc/hostname": "hostname", "/etc/hosts": "hosts", "/etc/resolv.conf": "resolv.conf"}
"""Files of the container's directory, by where they are seen inside."""

_SHM = "/dev/shm"
_LOCAL_TIME = "/etc/localtime"
_ZONES = "/usr/share/zoneinfo"
_TERMINALS = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
_TMPFS_DEFAULTS = {"exec": "noexec", "suid": "nosuid", "dev": "nodev"}
_FLAGS = {"ro": os.ST_RDONLY, "noexec": os.ST_NOEXEC, "nosuid": os.ST_NOSUID, "nodev": os.ST_NODEV}
_SWITCHES = ("noexec", "nosuid", "nodev")
_OWN_DIRECTORIES = ("proc", "sys", "dev")
_ALLOWED_TARGETS = (
    "/proc/cpuinfo", "/proc/diskstats", "/proc/loadavg", "/proc/meminfo", "/proc/net/dev", "/proc/slabinfo",
    "/proc/stat", "/proc/swaps", "/proc/uptime", "/sys/fs/bpf", "/sys/fs/cgroup", "/sys/kernel/debug",
    "/sys/kernel/tracing", "/dev/hugepages", "/dev/log", "/dev/mqueue", "/dev/shm",
)  # fmt: skip
"""What lxcfs, systemd, eBPF tools and syslog clients in containers need; none of it hides anything."""
_RECURSIVE_READ_ONLY_KERNEL = (5, 12)  # mount_setattr(2) with AT_RECURSIVE


def build_mounts(
    config: ContainerConfig,
    effective: Effective,
    container_id: str,
    paths: Paths,
    host: HostFacts,
    modes: t.Mapping[str, int],
    places: t.Mapping[str, str],
) -> list[dict[str, t.Any]]:
    """`modes` and `places` by target: of the directory that a tmpfs covers; where on the host a part of a
    volume or an image, or a generated file of another container, is to be found.

    Raises InvalidInput for a target that nobody may mount on, IntegrityError where the image names it."""
    mounts = _default_mounts(config, places)
    if config.timezone:
        mounts[_LOCAL_TIME] = _bind(_LOCAL_TIME, _zone_file(config.timezone), ["rprivate", "ro"])
    for target, name in GENERATED_FILES.items():
        source = places.get(target) or os.path.join(paths.container(container_id), name)
        mounts[target] = _bind(target, source, ["rprivate", "nosuid", "nodev", "noexec"])
    for target, options in effective.tmpfs.items():
        _check_target("tmpfs", target, bool(config.privileged))
        mounts[target] = _tmpfs(target, options, modes.get(target, _TMPFS_MODE))
    if NOTIFY_DIRECTORY in places:
        switches = ["rprivate", "nosuid", "nodev", "noexec"]
        mounts[NOTIFY_DIRECTORY] = _bind(NOTIFY_DIRECTORY, places[NOTIFY_DIRECTORY], switches)
    for target in secret_targets(config):
        _check_target("secrets", target, bool(config.privileged))
        mounts[target] = _bind(target, places[target], ["rprivate", "ro", "nosuid", "nodev", "noexec"])
    for volume in effective.volumes:
        _check_volume(volume, config)
        mounts[volume.target] = _volume(volume, places.get(volume.target) or source_of(volume, paths), host)
    if config.init:
        mounts[INIT_PATH] = _bind(INIT_PATH, find_init_program(), ["rprivate", "ro", "nosuid", "nodev"])
    return [mounts[target] for target in sorted(mounts, key=_depth_first)]


def _depth_first(target: str) -> tuple[int, str]:
    return target.rstrip("/").count("/"), target


def root_propagation(effective: Effective) -> str:
    """`linux.rootfsPropagation`: private, unless a volume has to pass on what is mounted below it."""
    asked = {option for volume in effective.volumes for option in volume.options}
    if asked.intersection(("shared", "rshared")):
        return "rshared"
    return "rslave" if asked.intersection(("slave", "rslave")) else "rprivate"


def _zone_file(zone: str) -> str:
    path = os.path.realpath(_LOCAL_TIME if zone == "local" else os.path.join(_ZONES, zone))
    if not os.path.isfile(path):
        raise NotFound(f"timezone: this host knows no zone {zone}", "install tzdata, or correct the name")
    return path


def _ipc_mounts(config: ContainerConfig, places: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """Shared memory and message queues: the container's own, those of the host, or of another container."""
    shm_size = config.shm_size or DEFAULT_SHM_SIZE
    switches = ["nosuid", "noexec", "nodev"]
    queues = _mount("/dev/mqueue", "mqueue", "mqueue", switches)  # those of the namespace, whose ever that is
    if config.ipc_mode == NONE:
        return [queues]
    place = _SHM if config.ipc_mode == HOST else places.get(_SHM)
    if place:
        return [queues, _bind(_SHM, place, ["rprivate", *switches])]
    return [queues, _mount(_SHM, "tmpfs", "shm", [*switches, "mode=1777", f"size={shm_size}"])]


def _default_mounts(config: ContainerConfig, places: t.Mapping[str, str]) -> dict[str, dict[str, t.Any]]:
    protection = [] if config.privileged else ["ro"]
    default = [
        _mount("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", "devpts", _TERMINALS),
        *_ipc_mounts(config, places),
        _mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", *protection]),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", *protection]),
    ]
    return {mount["destination"]: mount for mount in default}


def _mount(target: str, kind: str, source: str, options: t.Sequence[str]) -> dict[str, t.Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def _bind(target: str, source: str, options: t.Sequence[str]) -> dict[str, t.Any]:
    return _mount(target, "bind", source, ["rbind", *options])


def _tmpfs(target: str, options: str, mode: int) -> dict[str, t.Any]:
    asked = options.split(",") if options else []
    switches = [protection for word, protection in _TMPFS_DEFAULTS.items() if word not in asked]
    settings = [word for word in asked if word not in _TMPFS_DEFAULTS]
    if not any(word.startswith("mode=") for word in settings):
        settings.append(f"mode={mode:04o}")
    return _mount(target, "tmpfs", "tmpfs", [*switches, *settings])


def source_of(volume: VolumeMount, paths: Paths) -> str:
    """The path on the host, where it follows from the mount."""
    return os.path.join(paths.volumes, volume.source, "_data") if volume.type == "volume" else volume.source


def _volume(volume: VolumeMount, source: str, host: HostFacts) -> dict[str, t.Any]:
    recursion = "bind" if "bind" in volume.options else "rbind"
    propagation = next((option for option in volume.options if option in PROPAGATIONS), "rprivate")
    if recursion == "bind":
        propagation = propagation.removeprefix("r")  # crun 1.8 takes that `r` for one of the bind mount, too
    given = _restrictions(source)
    switches = [option for option in _SWITCHES if option in (*volume.options, *given)]
    if volume.read_only or "ro" in given:
        is_directory = (volume.type == "volume" and not volume.subpath) or os.path.isdir(source)
        can_hold_mounts = recursion == "rbind" and is_directory
        wants_more = READ_ONLY_ON_TOP not in volume.options
        can_recurse = wants_more and host.machine.kernel >= _RECURSIVE_READ_ONLY_KERNEL
        # crun 1.8 opens what is `rro` as a directory
        switches += ["ro", "rro"] if can_hold_mounts and can_recurse else ["ro"]
    return _mount(volume.target, "bind", source, [recursion, propagation, *switches])


def _restrictions(source: str) -> list[str]:
    """What holds for `source` on the host holds inside, too: crun 1.8 mounts it without."""
    try:
        flags = os.statvfs(source).f_flag
    except OSError:
        return []  # the runtime will say what is wrong
    return [word for word, flag in _FLAGS.items() if flags & flag]


def _check_volume(volume: VolumeMount, config: ContainerConfig) -> None:
    if not volume.anonymous or volume.target in [asked["target"] for asked in asked_mounts(config)]:
        is_device = volume.type == "bind" and volume.source.startswith("/dev/")
        _check_target("volumes", volume.target, bool(config.privileged), is_device=is_device)
    elif _top(volume.target) in _OWN_DIRECTORIES:
        raise IntegrityError(
            f"image: it declares a volume at {volume.target}", "use an image that is made well"
        )


def _check_target(option: str, target: str, privileged: bool, *, is_device: bool = False) -> None:
    if not _may_mount(target, privileged, is_device):
        top = _top(target)
        raise InvalidInput(
            f"{option}: nothing can be mounted on {target}: it belongs to the container's own /{top}",
            f"choose a target outside /{top}",
            option=option,
        )


def _may_mount(target: str, privileged: bool, is_device: bool) -> bool:
    """`is_device`: the source is in the host's `/dev` too, such as `/dev/snd`."""
    top = _top(target)
    if top not in _OWN_DIRECTORIES or target in _ALLOWED_TARGETS:
        return True
    if top == "dev":
        return is_device and target.count("/") > 1 and target.split("/")[2] not in RESERVED_DEVICES
    return top == "sys" and privileged


def _top(target: str) -> str:
    return target.split("/")[1]
