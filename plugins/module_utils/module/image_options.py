# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `image`, and what they mean."""

from __future__ import annotations

import re
import typing as t

from ..runtime.container.environment_values import parse_env, parse_labels
from ..runtime.container.mount_values import parse_path, parse_working_dir
from ..runtime.container.values import parse_command, parse_entrypoint, parse_signal, parse_user
from ..runtime.content.images import full_id
from ..runtime.errors import InvalidInput, doing
from ..runtime.oci.image_config import ImageConfig
from ..runtime.oci.platforms import host_platform, parse_platform
from ..runtime.oci.reference import Reference, is_image_id, parse_reference
from ..runtime.reconcile.image import ImageRequest
from .argspec import ArgumentSpec

_LIST = {"type": "list", "elements": "str"}

# What an image of a root file system says about its process.
PROCESS = ArgumentSpec(
    {
        "cmd": {"type": "raw"},
        "entrypoint": _LIST,
        "env": {"type": "dict"},
        "labels": {"type": "dict"},
        "user": {"type": "str"},
        "working_dir": {"type": "str"},
        "exposed_ports": _LIST,
        "volumes": _LIST,
        "stop_signal": {"type": "str"},
    }
)

IMAGE = ArgumentSpec(
    {
        "name": {"type": "str"},
        "state": {"type": "str", "default": "present", "choices": ["absent", "present"]},
        "source": {"type": "str", "default": "registry", "choices": ["archive", "registry", "rootfs"]},
        "path": {"type": "path"},
        "archive_name": {"type": "str"},
        "pull": {
            "type": "str",
            "default": "missing",
            "choices": ["always", "missing", "never", "newer"],
        },
        "platform": {"type": "str"},
        "tags": {"type": "list", "elements": "str", "default": []},
        "force": {"type": "bool", "default": False},
    },
    required_if=[
        ("source", "archive", ("path",)),
        ("source", "rootfs", ("path",)),
        ("source", "registry", ("name",)),
        ("state", "absent", ("name",)),
    ],
).merge(PROCESS)


def read_image_request(params: t.Mapping[str, t.Any], registry: t.Any) -> ImageRequest:
    """What the task asks for; `registry` are the options for pulling. InvalidInput names the option."""
    absent = params["state"] == "absent"
    platform = parse_platform(params["platform"]) if params["platform"] else None
    return ImageRequest(
        name=_name(params["name"]),
        state=params["state"],
        source=params["source"],
        path=params["path"] or "",
        archive_name=params["archive_name"],
        pull=params["pull"],
        platform=str(platform) if platform else None,
        tags=tuple(_tag(text) for text in params["tags"]),
        force=params["force"],
        config=None if absent else _config(params, platform or host_platform()),
        registry=registry,
    )


def _name(text: str | None) -> Reference | str | None:
    if text is None:
        return None
    return full_id(text) if is_image_id(text) else parse_reference(text)


def _tag(text: str) -> Reference:
    with doing("tags"):
        return parse_reference(text)


def _config(params: t.Mapping[str, t.Any], platform: t.Any) -> ImageConfig | None:
    given = {name: params[name] for name in PROCESS.options if params[name] is not None}
    if params["source"] != "rootfs":
        if given:
            raise InvalidInput(
                f"{', '.join(given)} cannot be given: the image says it itself",
                "only source: rootfs takes it",
            )
        return None
    config = ImageConfig(architecture=platform.architecture, variant=platform.variant)
    for name, value in given.items():
        setattr(config, name, _PARSERS[name](value, name))
    return config


def _parse_environment(value: t.Any, option: str) -> list[str]:
    return [f"{name}={content}" for name, content in sorted(parse_env(value, option).items())]


def _parse_ports(value: t.Sequence[str], option: str) -> list[str]:
    """`80`, `53/udp`, `8000-8010` → each port with its protocol, sorted, none twice."""
    ports: set[tuple[int, str]] = set()
    for text in value:
        match = re.fullmatch("([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", text.strip().lower())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if match is None or not 0 < first <= last < 65536:
            raise InvalidInput(f"{option}: {text!r} is not a port", "write 80, 53/udp or 8000-8010/tcp")
        ports.update((port, match[3] or "tcp") for port in range(first, last + 1))
    return [f"{port}/{protocol}" for port, protocol in sorted(ports)]


def _parse_volumes(value: t.Sequence[str], option: str) -> list[str]:
    return sorted({parse_path(text, option) for text in value})


_PARSERS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "cmd": lambda value, option: parse_command(value, option) or [],
    "entrypoint": parse_entrypoint,
    "env": _parse_environment,
    "labels": parse_labels,
    "user": parse_user,
    "working_dir": parse_working_dir,
    "exposed_ports": _parse_ports,
    "volumes": _parse_volumes,
    "stop_signal": parse_signal,
}
