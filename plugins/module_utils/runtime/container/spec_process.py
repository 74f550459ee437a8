# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`process` of the runtime specification: what runs, as whom, in which environment, within which rlimits."""

from __future__ import annotations

import typing as t

from ..errors import HostNotReady
from .capabilities import granted_capabilities, process_capabilities
from .config import ContainerConfig
from .effective import Effective
from .host_facts import HostFacts, loaded_apparmor_profile
from .secret_values import secret_environment
from .security_values import read_security_opts
from .users import ResolvedUser
from .values import LIMIT_NAMES, UNLIMITED

INIT_PATH = "/run/coracle-init"
"""Where the host's init program is bound read-only when `init` is asked for."""

_INFINITY = 2**64 - 1
DEFAULT_UMASK = 0o022
_OPEN_FILES = 1048576
_MEMORY_LOCKED = 8 * 1024**2
_STACK = 8 * 1024**2

_RLIMITS = {
    "as": (_INFINITY, _INFINITY),
    "core": (0, 0),
    "cpu": (_INFINITY, _INFINITY),
    "data": (_INFINITY, _INFINITY),
    "fsize": (_INFINITY, _INFINITY),
    "locks": (_INFINITY, _INFINITY),
    "memlock": (_MEMORY_LOCKED, _MEMORY_LOCKED),
    "msgqueue": (819200, 819200),
    "nice": (0, 0),
    "nofile": (_OPEN_FILES, _OPEN_FILES),
    "nproc": (_INFINITY, _INFINITY),
    "rss": (_INFINITY, _INFINITY),
    "rtprio": (0, 0),
    "rttime": (_INFINITY, _INFINITY),
    "stack": (_STACK, _INFINITY),
}
"""The kernel's and systemd's own values. Every limit is written down: what the ssh session has must not
show.
"""


def build_process(
    config: ContainerConfig, effective: Effective, user: ResolvedUser, host: HostFacts
) -> dict[str, t.Any]:
    security = read_security_opts(config.security_opts or ())
    process: dict[str, t.Any] = {
        "terminal": bool(config.tty),
        "user": {
            "uid": user.uid,
            "gid": user.gid,
            "additionalGids": user.additional_gids,
            "umask": DEFAULT_UMASK if config.umask is None else config.umask,
        },
        "args": [INIT_PATH, "--", *effective.arguments] if config.init else effective.arguments,
        "env": environment(config, effective, user),
        "cwd": effective.working_dir,
        "capabilities": process_capabilities(granted_capabilities(config, host.bounding), user.uid),
        "rlimits": _rlimits(config, host),
        "noNewPrivileges": security.no_new_privileges,
        "oomScoreAdj": config.oom_score_adj or 0,
    }
    if security.apparmor not in ("", "unconfined"):
        process["apparmorProfile"] = loaded_apparmor_profile(security.apparmor)
    return process


def environment(config: ContainerConfig, effective: Effective, user: ResolvedUser) -> list[str]:
    """`NAME=value` lines; HOME is the user's unless somebody gave another. With the secrets that are asked
    for here, which nothing else shows.
    """
    whole = {"HOME": user.home, **effective.environment, **secret_environment(config)}
    return [f"{name}={value}" for name, value in whole.items()]


def _rlimits(config: ContainerConfig, host: HostFacts) -> list[dict[str, t.Any]]:
    """Ours as far as this host allows; one that was asked for has to be possible."""
    largest = {name: host.largest_limits.get(name, _INFINITY) for name in LIMIT_NAMES}
    limits = {
        name: (min(soft, largest[name]), min(hard, largest[name])) for name, (soft, hard) in _RLIMITS.items()
    }
    for asked in config.ulimits or ():
        name, soft, hard = asked["name"], _rlimit(asked["soft"]), _rlimit(asked["hard"])
        if hard > largest[name]:
            raise HostNotReady(f"ulimits: this host gives at most {name}={largest[name]}", "ask for less")
        limits[name] = (soft, hard)
    return [
        {"type": f"RLIMIT_{name.upper()}", "soft": soft, "hard": hard}
        for name, (soft, hard) in sorted(limits.items())
    ]


def _rlimit(value: int) -> int:
    return _INFINITY if value == UNLIMITED else value
