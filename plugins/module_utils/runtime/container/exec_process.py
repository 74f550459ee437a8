# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One more program in a container that runs: the `process` of the runtime specification for it.

It is the process of the container's init with other arguments: the same capabilities, system call filter
(which the runtime keeps), groups, limits, profile and `noNewPrivileges`. Names of users become numbers here,
looked up in the container as it is now; no runtime ever parses one (CVE-2026-30892).
"""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t

from ..errors import InvalidInput, NotFound, StateError
from ..linux.rooted import open_in_root
from .capabilities import process_capabilities
from .effective import effective_of
from .oci_runtime import NOT_EXECUTABLE, NOT_FOUND
from .secret_values import secret_environment
from .users import ResolvedUser, resolve_user

if t.TYPE_CHECKING:
    from ..linux.terminal import Size
    from ..paths import Paths
    from .records import ContainerRecord


class ExecRequest(t.NamedTuple):
    """`arguments` are not empty. `user` in normal form (`values.parse_user`), empty: the container's, with
    its groups. `working_dir` empty: the container's. `env` comes on top of the container's.
    """

    arguments: t.Sequence[str]
    user: str = ""
    env: t.Mapping[str, str] = {}
    working_dir: str = ""
    tty: bool = False
    privileged: bool = False


def build_exec_process(
    request: ExecRequest,
    record: ContainerRecord,
    init: t.Mapping[str, t.Any],
    root_fd: int,
    bounding: t.Callable[[], t.Collection[str]],
    size: Size | None = None,
) -> dict[str, t.Any]:
    """`init` is the process that the container was started with, `root_fd` the root directory that it sees.
    `bounding` tells the capabilities that this host has; only a privileged one asks. `size` is that of the
    terminal.

    NotFound for a user or a working directory that is not there.
    """
    if not request.arguments or not request.arguments[0]:
        raise InvalidInput("nothing to run", "give a command")
    user = _user(request, record, root_fd)
    process = {
        **init,
        "terminal": request.tty,
        "args": list(request.arguments),
        "env": _environment(request, record, init, user),
        "cwd": _working_directory(root_fd, request.working_dir or init["cwd"]),
    }
    if user is not None:
        process["user"] = {
            **init["user"], "uid": user.uid, "gid": user.gid, "additionalGids": user.additional_gids
        }  # fmt: skip
        held = [name.removeprefix("CAP_") for name in init["capabilities"]["bounding"]]
        process["capabilities"] = process_capabilities(held, user.uid)
    if size is not None:
        process["consoleSize"] = {"height": size.rows, "width": size.columns}
    if request.privileged:
        process["capabilities"] = process_capabilities(sorted(bounding()), 0)
    return process


def _user(request: ExecRequest, record: ContainerRecord, root_fd: int) -> ResolvedUser | None:
    """None: the container's own."""
    if not request.user:
        return None
    try:
        return resolve_user(root_fd, request.user, record.config.groups or ())
    except NotFound as error:
        error.facts["rc"] = NOT_EXECUTABLE
        raise


def init_process(paths: Paths, record: ContainerRecord) -> dict[str, t.Any]:
    """The process of the current run, as the runtime was told."""
    path = os.path.join(paths.container(record.id), "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            process: dict[str, t.Any] = json.load(file)["process"]
            return process
    except (OSError, ValueError, KeyError) as error:
        raise StateError(f"{path} is damaged: {error}", "restart the container") from error


def _environment(
    request: ExecRequest, record: ContainerRecord, init: t.Mapping[str, t.Any], user: ResolvedUser | None
) -> list[str]:
    """The container's own, TERM if there is a terminal, HOME of the user unless somebody gave one, and over
    them what was asked. HOSTNAME may be that of the container whose network it shares.
    """
    before = dict(entry.partition("=")[::2] for entry in init["env"])
    config = dataclasses.replace(record.config, tty=request.tty)
    given = effective_of(dataclasses.replace(record, config=config)).environment
    home = before["HOME"] if user is None else user.home
    given.update(secret_environment(record.config))
    names = {"HOME": home, **given, "HOSTNAME": before.get("HOSTNAME", ""), **request.env}
    return [f"{name}={value}" for name, value in names.items()]


def _working_directory(root_fd: int, path: str) -> str:
    """The path without links: what the runtime enters is what was looked at. Links out of `/proc`, which
    lead to the files of the host (CVE-2024-21626), are not followed.
    """
    try:
        fd = open_in_root(root_fd, path, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        problem = f"working directory {path}: {os.strerror(error.errno or 0)}"
        raise NotFound(problem, "choose a directory of the container", rc=NOT_FOUND) from error
    try:
        if os.fstat(fd).st_nlink == 0:
            raise NotFound(f"working directory {path} was removed", rc=NOT_FOUND)
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
