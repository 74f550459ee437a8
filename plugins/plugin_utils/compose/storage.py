# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes, files and file systems in memory of a service."""

from __future__ import annotations

import typing as t

from .place import Place
from .stack import Declaration, Service

_OF_MOUNTS = ("type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs", "image")
_OF_FILES = ("source", "target", "uid", "gid", "mode")


def volumes(place: Place, service: Service) -> Declaration:
    texts, mounts = [], []
    for item in place.items():
        if not item.is_mapping:
            texts.append(_short(item, service))
        elif item.below("bind").below("selinux"):
            texts.append(_labelled(item, service))
        else:
            mounts.append(_mount(item, service))
    return {**({"volumes": texts} if texts else {}), **({"mounts": mounts} if mounts else {})}


def _short(place: Place, service: Service) -> str:
    source, colon, rest = place.text().partition(":")
    if not colon:
        return source
    if source.startswith(("/", ".", "~")):
        return f"{service.stack.path(place, source)}:{rest}"
    return f"{_volume(place, source, service)}:{rest}"


def _volume(place: Place, key: str, service: Service) -> str:
    if key not in service.stack.volumes:
        raise place.refusal(f"there is no volume {key}", "declare it below volumes, or begin a path with ./")
    return service.stack.volumes[key]


def _labelled(place: Place, service: Service) -> str:
    """Labels of SELinux can be said only in the short form."""
    parts = place.known("type", "source", "target", "read_only", "bind")
    bind = parts["bind"].known("selinux", "create_host_path", "propagation")
    modes = [bind["selinux"].text(), *([bind["propagation"].text()] if "propagation" in bind else [])]
    modes += ["ro"] if "read_only" in parts and parts["read_only"].boolean() else []
    source = service.stack.path(parts["source"], _needed(place, parts, "source"))
    return f"{source}:{_needed(place, parts, 'target')}:{','.join(modes)}"


def _mount(place: Place, service: Service) -> dict[str, t.Any]:
    parts = place.known(*_OF_MOUNTS)
    kind = parts["type"].text() if "type" in parts else "volume"
    if kind not in _KINDS:
        raise parts["type"].refusal(f"{kind} cannot be mounted here", f"there are {', '.join(_KINDS)}")
    strange = [name for name in _KINDS if name in parts and name != kind]
    if strange:
        raise parts[strange[0]].refusal(f"has no meaning for type {kind}", "take it out")
    said: dict[str, t.Any] = {"type": kind, "target": _needed(place, parts, "target")}
    if "read_only" in parts:
        said["read_only"] = parts["read_only"].boolean()
    if "consistency" in parts:
        said["consistency"] = parts["consistency"].text()
    detail = parts.get(kind, Place(None, f"{place.path}.{kind}"))
    return {**said, **_KINDS[kind](place, parts, detail, service)}


Parts = t.Mapping[str, Place]


def _bind(place: Place, parts: Parts, detail: Place, service: Service) -> dict[str, t.Any]:
    known = detail.known("propagation", "create_host_path", "recursive")
    said: dict[str, t.Any] = {
        "source": service.stack.path(parts.get("source", place), _needed(place, parts, "source"))
    }
    said["create_mountpoint"] = "create_host_path" not in known or known["create_host_path"].boolean()
    if "propagation" in known:
        said["propagation"] = known["propagation"].text()
    if "recursive" in known:
        word = known["recursive"].text()
        if word not in ("enabled", "disabled"):
            raise known["recursive"].refusal(f"{word} cannot be had", "write enabled or disabled")
        said["non_recursive"] = word == "disabled"
    return said


def _named(place: Place, parts: Parts, detail: Place, service: Service) -> dict[str, t.Any]:
    known = detail.known("nocopy", "subpath", "labels")
    said: dict[str, t.Any] = {}
    if "source" in parts:
        said["source"] = _volume(parts["source"], parts["source"].text(), service)
    if "nocopy" in known:
        said["no_copy"] = known["nocopy"].boolean()
    if "subpath" in known:
        said["subpath"] = known["subpath"].text()
    if "labels" in known:
        said["labels"] = {name: item.text() if item else "" for name, item in known["labels"].pairs().items()}
    return said


def _in_memory(place: Place, parts: Parts, detail: Place, service: Service) -> dict[str, t.Any]:
    known = detail.known("size", "mode")
    said: dict[str, t.Any] = {}
    if "size" in known:
        said["tmpfs_size"] = known["size"].text()
    if "mode" in known:
        mode = known["mode"].value
        said["tmpfs_mode"] = f"{mode:o}" if isinstance(mode, int) else known["mode"].text()
    return said


def _image(place: Place, parts: Parts, detail: Place, service: Service) -> dict[str, t.Any]:
    known = detail.known("subpath")
    return {
        "source": _needed(place, parts, "source"),
        **({"subpath": known["subpath"].text()} if known else {}),
    }


_KINDS: dict[str, t.Callable[[Place, Parts, Place, Service], dict[str, t.Any]]] = {
    "bind": _bind,
    "volume": _named,
    "tmpfs": _in_memory,
    "image": _image,
}


def _needed(place: Place, parts: Parts, name: str) -> str:
    if name not in parts:
        raise place.refusal(f"has no {name}")
    return parts[name].text()


def volumes_from(place: Place, service: Service) -> Declaration:
    said = []
    for item in place.items():
        name, colon, rest = item.text().partition(":")
        if name == "container" and colon:
            said.append(rest)
        else:
            said.append(f"{service.stack.container_of(item, name)}{colon}{rest}")
    return {"volumes_from": said}


def files(place: Place, service: Service) -> Declaration:
    """`secrets` and `configs`: both go with the task, as secrets do."""
    is_secret = place.path.endswith(".secrets")
    declared = service.stack.secrets if is_secret else service.stack.configs
    return {"secrets": [_file(item, declared, is_secret, service) for item in place.items()]}


def _file(place: Place, declared: Parts, is_secret: bool, service: Service) -> dict[str, t.Any]:
    parts = place.known(*_OF_FILES) if place.is_mapping else {"source": place}
    key = _needed(place, parts, "source")
    if key not in declared:
        raise place.refusal(
            f"there is no {'secret' if is_secret else 'config'} {key}", "declare it at the top"
        )
    target = parts["target"].text() if "target" in parts else key
    said: dict[str, t.Any] = {
        "name": key if is_secret else f"config.{key}",
        "value": _content(declared[key], service),
        "target": target if is_secret or target.startswith("/") else f"/{target}",
    }
    for name in ("uid", "gid"):
        if name in parts:
            said[name] = parts[name].number()
    if "mode" in parts:
        mode = parts["mode"].value
        said["mode"] = f"{mode:04o}" if isinstance(mode, int) else parts["mode"].text()
    return said


def _content(place: Place, service: Service) -> str:
    parts = place.known("file", "environment", "content", "name")
    sources = [name for name in ("file", "environment", "content") if name in parts]
    if len(sources) != 1:
        raise place.refusal("has not one source", "write file, environment or content")
    source = parts[sources[0]]
    if sources == ["content"]:
        return source.text()
    if sources == ["environment"]:
        if source.text() not in service.stack.variables:
            raise source.refusal(f"{source.text()} has no value", "set it in compose_environment")
        return service.stack.variables[source.text()]
    content = service.stack.read(source.text())
    if content is None:
        raise source.refusal(f"there is no file {source.text()}", "it is looked for beside the Compose file")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise source.refusal(
            "is not UTF-8 text", "have it on the target, and mount it with volumes"
        ) from None
