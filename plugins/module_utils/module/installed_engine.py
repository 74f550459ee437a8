# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Run a module of this collection from the engine that is on the target, instead of sending it with the task.

The payload of such a task is this file, `coracle_task` and Ansible's own; plugin_utils/engine_task.py writes
the order.

    <root>/agent/<version>/coracle.pyz      sources; the version is their SHA-256, checked before each use
    <root>/agent/<version>/cpython-311.zip  what this Python has compiled of them

Nothing here is followed that somebody else could have put there: all directories have to be ours alone. An
engine that arrives with the task gets its name when it is complete, checked and on disk; a root that does not
exist yet is not made for it. Nothing of the engine may be imported at the top of this file, or it would
become part of the payload.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import os
import stat
import sys
import typing as t
import zlib

from ansible.module_utils import basic

ORDER = "coracle_engine"
MISSING, INSTALLED = "coracle_engine_missing", "coracle_engine_installed"
_DEFAULT_ROOT = "/var/lib/coracle"
_LARGEST = 64 * 1024**2
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC

_held: list[int] = []
"""Descriptors with a shared flock on the archive that we run from: it is not removed meanwhile."""


class Order(t.NamedTuple):
    """`module`: what to run (empty: nothing, only install). `version`: of the engine. `archive`: path of
    the compressed engine, if it comes with the task. `reads`: the module only looks.
    """

    module: str
    version: str
    archive: str
    reads: bool


def main() -> None:
    document, order = _take_order()
    if order is None:
        module = basic.AnsibleModule({}, supports_check_mode=True)
        module.fail_json(msg="this module is only run by the other modules of coracle.engine")
    arguments = document["ANSIBLE_MODULE_ARGS"]
    root = os.path.expanduser(os.path.expandvars(arguments.get("root") or _DEFAULT_ROOT))
    place = os.path.join(root, "agent", order.version)
    may_write = not (order.reads or arguments.get("_ansible_check_mode")) and os.geteuid() == 0
    try:
        if order.archive and may_write and _is_ours(root):
            _install(root, place, order)
        usable = _hold(place, order.version)
    except OSError:
        usable = False
    if not usable:
        _answer(document, **{MISSING: True, "may_install": may_write and _is_ours(root)})
    sys.path[:0] = [
        os.path.join(place, f"{sys.implementation.cache_tag}.zip"),
        os.path.join(place, "coracle.pyz"),
    ]
    if may_write:
        _complete(root, arguments.get("run_root"), place, fresh=bool(order.archive))
    if not order.module:
        _answer(document, **{INSTALLED: True})
    arguments["_ansible_module_name"] = f"coracle.engine.{order.module}"  # what errors speak of
    basic._ANSIBLE_ARGS = json.dumps(document).encode()
    importlib.import_module(f"coracle.modules.{order.module}").main()


def _take_order() -> tuple[dict[str, t.Any], Order | None]:
    """The arguments of the real module, and what the action plugin has added to them."""
    document: dict[str, t.Any] = json.loads(basic._ANSIBLE_ARGS or b"{}")
    order = document.get("ANSIBLE_MODULE_ARGS", {}).pop(ORDER, None)
    return document, order and Order(**order)


def _answer(document: dict[str, t.Any], **answer: t.Any) -> t.NoReturn:
    ours = {
        key: value for key, value in document["ANSIBLE_MODULE_ARGS"].items() if key.startswith("_ansible_")
    }
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": ours}).encode()
    basic.AnsibleModule({}, supports_check_mode=True).exit_json(changed=False, **answer)


def _is_ours(path: str) -> bool:
    """A directory, not a link to one, that only we can enter."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _hold(place: str, version: str) -> bool:
    """Is the engine there, unchanged, and nobody else's? Then it stays until we end."""
    agent = os.path.dirname(place)
    if not all(_is_ours(path) for path in (os.path.dirname(agent), agent, place)):
        return False
    fd = os.open(os.path.join(place, "coracle.pyz"), _READ)
    _held.append(fd)
    fcntl.flock(fd, fcntl.LOCK_SH)
    with open(fd, "rb", closefd=False) as file:
        return hashlib.sha256(file.read(_LARGEST)).hexdigest() == version


def _install(root: str, place: str, order: Order) -> None:
    """Power may fail and others may do the same at any instant: the name appears with the last step."""
    with open(order.archive, "rb") as file:
        data = zlib.decompressobj().decompress(file.read(_LARGEST), _LARGEST)
    if hashlib.sha256(data).hexdigest() != order.version:
        return
    for directory in (os.path.dirname(place), place):
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:
            continue
        _sync(os.path.dirname(directory))
    if not (_is_ours(os.path.dirname(place)) and _is_ours(place)):
        return
    name, new = os.path.join(place, "coracle.pyz"), os.path.join(place, f".coracle.pyz.{os.getpid()}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    _held.append(fd)
    fcntl.flock(fd, fcntl.LOCK_SH)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.fsync(fd)
    os.rename(new, name)
    _sync(place)


def _sync(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _complete(root: str, run_root: str | None, place: str, fresh: bool) -> None:
    """Let the engine compile itself for this Python; one that has just come is in force from now on.

    Where that fails it runs as it came: the module itself can say best what is wrong.
    """
    if not fresh and os.path.exists(sys.path[0]):
        return
    engine = importlib.import_module("coracle.module_utils.runtime.engine")
    errors = importlib.import_module("coracle.module_utils.runtime.errors")
    install_agent = importlib.import_module("coracle.module_utils.runtime.operations.install_agent")
    try:
        with engine.open_engine(root, *([run_root] if run_root else [])) as opened:
            install_agent.install_agent(opened)
    except (OSError, errors.CoracleError):
        pass
    importlib.invalidate_caches()
