# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Devices by name, as their drivers describe them on this host: the Container Device Interface (CDI).

    /etc/cdi/*.json, *.yaml    by the administrator, or when a driver was installed
    /run/cdi/*.json, *.yaml    since the last boot: wins where both describe a device

A description says what a container needs for a device: nodes, mounts, variables, programs to run. The runtime
runs those as root of the host, so only descriptions that nobody but root can have written count. They are
read at each start: what the driver says now is what the container gets.
Source: github.com/cncf-tags/container-device-interface, SPEC.md, version 1.0.0.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
import typing as t

from ..errors import Conflict, CoracleError, HostNotReady, IntegrityError, NotFound
from ..linux.files import read_bounded

DIRECTORIES = ("/etc/cdi", "/run/cdi")

Document = dict[str, t.Any]

OWNER = 0
"""Whose the descriptions are: what they do to a container is done by root."""

_LARGEST = 8 * 1024**2
_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_EDITS = ("env", "deviceNodes", "mounts", "hooks", "additionalGids")
_YAML_HINT = "install python3-yaml, or write it as JSON: nvidia-ctk cdi generate --format json"


class Described(t.NamedTuple):
    """A device, and the description that it is in."""

    path: str
    document: Document
    device: Document

    @property
    def edits(self) -> list[Document]:
        """What all devices of the description need, and what this one needs."""
        return [part.get("containerEdits") or {} for part in (self.document, self.device)]


def find_devices(names: t.Iterable[str], directories: t.Sequence[str] = DIRECTORIES) -> dict[str, Described]:
    """By name, such as `nvidia.com/gpu=all`. NotFound names the first that no description has."""
    known: dict[str, Described] = {}
    problems: list[CoracleError] = []
    for directory in directories:
        here: dict[str, Described] = {}
        for path in _files(directory):
            try:
                found = _devices_in(path)
            except CoracleError as error:
                problems.append(error)
                continue
            for name in here.keys() & found.keys() & set(names):
                raise Conflict(f"device {name} is in {here[name].path} and in {path}", "keep one of them")
            here.update(found)
        known.update(here)
    for name in names:
        if name not in known:
            raise _unknown(name, known, problems, directories)
    return {name: known[name] for name in names}


def add_devices(spec: Document, names: t.Iterable[str], directories: t.Sequence[str] = DIRECTORIES) -> None:
    """Put into the runtime specification what the devices with these `names` need.

    What several devices have in common comes once.
    """
    done: list[Document] = []
    for name, described in find_devices(names, directories).items():
        for edits in described.edits:
            if edits not in done:
                done.append(edits)
                try:
                    _edit(spec, edits)
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    raise IntegrityError(f"{described.path}: device {name}: {error!r}") from error
                except CoracleError as error:
                    error.during(f"{described.path}: device {name}")
                    raise


def _files(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return [os.path.join(directory, name) for name in sorted(names) if name.endswith((".json", ".yaml"))]


def _devices_in(path: str) -> dict[str, Described]:
    found = os.stat(path)
    if found.st_uid != OWNER or stat.S_IMODE(found.st_mode) & 0o022:
        raise HostNotReady(
            f"{path} can be written by others than root", f"chown root {path}; chmod 644 {path}"
        )
    document = _parse(path, read_bounded(path, _LARGEST))
    try:
        kind, devices = document["kind"], document["devices"]
        return {f"{kind}={device['name']}": Described(path, document, device) for device in devices}
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"{path} is no description of devices: {error!r}") from None


def _parse(path: str, content: bytes) -> Document:
    parse: t.Callable[[bytes], t.Any] = json.loads
    if path.endswith(".yaml"):
        try:
            parse = importlib.import_module("yaml").safe_load
        except ImportError:
            raise HostNotReady(f"{path} is YAML, which Python cannot read here", _YAML_HINT) from None
    try:
        document = parse(content)
    except Exception as error:  # the exceptions of a YAML parser are its own
        raise IntegrityError(f"{path}: {error}".replace("\n", " ")) from None
    if not isinstance(document, dict):
        raise IntegrityError(f"{path} is no description of devices")
    return document


def _unknown(
    name: str, known: t.Iterable[str], problems: list[CoracleError], directories: t.Sequence[str]
) -> CoracleError:
    kind = name.partition("=")[0]
    others = sorted(other for other in known if other.startswith(f"{kind}="))
    hint = f"there are {', '.join(others)}" if others else ""
    if not hint and problems:
        hint = str(problems[0])
    elif not hint and kind == "nvidia.com/gpu":
        hint = "have them described: nvidia-ctk cdi generate --output /etc/cdi/nvidia.yaml"
    return NotFound(
        f"device_requests: {name} is described neither in {' nor in '.join(directories)}",
        hint or "install what describes it, or correct the name",
    )


def _edit(spec: Document, edits: Document) -> None:
    others = sorted(set(edits).difference(_EDITS))
    if others:
        raise HostNotReady(f"it needs {others[0]}, which this engine does not have")
    process = spec["process"]
    for entry in edits.get("env") or ():
        name = entry.partition("=")[0]
        process["env"] = [line for line in process["env"] if line.partition("=")[0] != name] + [entry]
    for gid in edits.get("additionalGids") or ():
        if gid not in process["user"]["additionalGids"]:
            process["user"]["additionalGids"].append(int(gid))
    for node in edits.get("deviceNodes") or ():
        _add_node(spec["linux"], node)
    for mount in edits.get("mounts") or ():
        _add_mount(spec, mount)
    for hook in edits.get("hooks") or ():
        _add_hook(spec, hook)


def _add_node(linux: Document, asked: Document) -> None:
    path = asked["path"]
    host_path = asked.get("hostPath") or path
    node: Document = {"path": path}
    try:
        found = os.stat(host_path)
    except FileNotFoundError:
        raise NotFound(f"{host_path} is not on this host", "load its driver") from None
    kinds = {"b": stat.S_ISBLK, "c": stat.S_ISCHR}
    kind = next((letter for letter, fits in kinds.items() if fits(found.st_mode)), "")
    if not kind:
        raise IntegrityError(f"{host_path} is not a device")
    node.update(
        type=kind,
        major=os.major(found.st_rdev),
        minor=os.minor(found.st_rdev),
        fileMode=asked.get("fileMode") or stat.S_IMODE(found.st_mode),
        uid=asked.get("uid", found.st_uid),
        gid=asked.get("gid", found.st_gid),
    )
    others = [other for other in linux.get("devices") or () if other["path"] != path]
    linux["devices"] = [*others, node]
    rule = {name: node[name] for name in ("type", "major", "minor")}
    access = asked.get("permissions") or "rwm"
    linux["resources"]["devices"].append({"allow": True, **rule, "access": access})


def _add_mount(spec: Document, asked: Document) -> None:
    """Parents stay before children, and one mount is at one place."""
    target, kind = asked["containerPath"], asked.get("type") or "bind"
    options = list(asked.get("options") or ())
    if kind == "bind" and not {"bind", "rbind"}.intersection(options):
        options.insert(0, "rbind")
    mount = {"destination": target, "type": kind, "source": asked["hostPath"], "options": options}
    mounts = [other for other in spec["mounts"] if other["destination"] != target]
    spec["mounts"] = sorted([*mounts, mount], key=lambda one: one["destination"].rstrip("/").count("/"))


def _add_hook(spec: Document, asked: Document) -> None:
    if asked["hookName"] not in _HOOKS:
        raise IntegrityError(f"{asked['hookName']!r} is not a moment for a hook")
    hook = {name: asked[name] for name in ("path", "args", "env", "timeout") if asked.get(name)}
    spec.setdefault("hooks", {}).setdefault(asked["hookName"], []).append(hook)
