# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `container_copy`, what came with the task from the controller, and what both mean."""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
import typing as t

from ..runtime.copying.compare import Wishes
from ..runtime.copying.items import Item
from ..runtime.copying.modes import PRESERVE, parse_mode
from ..runtime.copying.parcel import PARCEL, Parcel
from ..runtime.copying.text_source import TextSource
from ..runtime.errors import InvalidInput
from ..runtime.reconcile.copy import CopyRequest
from .argspec import ArgumentSpec

IN, OUT = "in", "out"

COPY = ArgumentSpec(
    {
        "container": {"type": "str"},
        "volume": {"type": "str"},
        "direction": {"type": "str", "default": IN, "choices": [IN, OUT]},
        "src": {"type": "str", "aliases": ["path"]},
        "content": {"type": "raw"},
        "content_is_b64": {"type": "bool", "default": False},
        "dest": {"type": "str", "required": True, "aliases": ["container_path"]},
        "remote_src": {"type": "bool", "default": False},
        "owner": {"type": "str", "aliases": ["owner_id"]},
        "group": {"type": "str", "aliases": ["group_id"]},
        "mode": {"type": "raw"},
        "directory_mode": {"type": "raw"},
        "archive": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": True},
        "replace_kind": {"type": "bool", "default": False},
        "backup": {"type": "bool", "default": False},
        "validate": {"type": "str"},
        "follow": {"type": "bool", "default": False},
        "local_follow": {"type": "bool", "default": True},
        "decrypt": {"type": "bool", "default": True},
        "unsafe_writes": {"type": "bool", "default": False},
    },
    mutually_exclusive=[("container", "volume"), ("src", "content")],
    required_one_of=[("container", "volume"), ("src", "content")],
)


class Sent(t.NamedTuple):
    """What the action plugin has sent. `parcel` is what the controller has; `reply`: where to put what it
    lacks; `diff`: texts are wanted; `complete`: what could be sent was sent.
    """

    parcel: Parcel
    reply: str = ""
    diff: bool = False
    complete: bool = False


def take_sent() -> Sent | None:
    """Out of the arguments of this module, before Ansible checks them."""
    from ansible.module_utils import basic

    document: dict[str, t.Any] = json.loads(basic._ANSIBLE_ARGS or b"{}")
    order = document.get("ANSIBLE_MODULE_ARGS", {}).pop(PARCEL, None)
    if order is None:
        return None
    basic._ANSIBLE_ARGS = json.dumps(document).encode()
    contents = _opened(order["contents"]) if order.get("contents") else None
    parcel = Parcel(_opened(order["list"]) if "list" in order else _unpacked(order["data"]), contents)
    return Sent(parcel, order.get("reply", ""), bool(order.get("diff")), bool(order.get("complete")))


def _opened(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _unpacked(data: str) -> int:
    with tempfile.TemporaryFile() as file:
        file.write(base64.b64decode(data))
        file.flush()
        return os.dup(file.fileno())


def read_copy_request(params: t.Mapping[str, t.Any], sent: Sent | None) -> CopyRequest:
    """What the task asks for. InvalidInput names the option."""
    outwards = params["direction"] == OUT
    if params["content"] is not None and (outwards or params["remote_src"]):
        raise InvalidInput("content: it goes to a container or a volume, from the task", option="content")
    if params["content"] is None and not params["remote_src"] and sent is None:
        raise InvalidInput(
            "src and dest are on the controller, and that is only known to the action plugin",
            "use the module by its own name, or remote_src: true",
        )
    _check_paths(params, outwards)
    facts = sent.parcel.facts if sent else {}
    return CopyRequest(
        container=params["container"] or "",
        volume=params["volume"] or "",
        outwards=outwards,
        src=params["src"] or "",
        dest=params["dest"],
        wishes=_wishes(params),
        owner=params["owner"] or "",
        group=params["group"] or "",
        follow=params["follow"],
        local_follow=params["local_follow"],
        validate=params["validate"] or "",
        sent=_sent_source(params, sent, outwards),
        name=facts.get("name", ""),
        content_only=bool(facts.get("content_only")),
        listed=_listed(sent) if sent and outwards else None,
    )


def _check_paths(params: t.Mapping[str, t.Any], outwards: bool) -> None:
    inside = params["src" if outwards else "dest"]
    outside = params["dest" if outwards else "src"] if params["remote_src"] else "/"
    for path in (inside, outside):
        if not path or "\0" in path:
            raise InvalidInput("src and dest must not be empty")
    if not outside.startswith("/"):
        raise InvalidInput(f"{outside} of the target is not an absolute path")


def _wishes(params: t.Mapping[str, t.Any]) -> Wishes:
    mode, directory_mode = params["mode"], params["directory_mode"]
    preserve = mode == PRESERVE
    return Wishes(
        mode=None if mode is None or preserve else parse_mode(mode, "mode"),
        directory_mode=None if directory_mode is None else parse_mode(directory_mode, "directory_mode"),
        preserve=preserve,
        archive=params["archive"],
        force=params["force"],
        replace_kind=params["replace_kind"],
        in_place=params["unsafe_writes"],
        backup=params["backup"],
    )


def _sent_source(params: t.Mapping[str, t.Any], sent: Sent | None, outwards: bool) -> t.Any:
    if params["content"] is not None:
        return TextSource(_content(params["content"], params["content_is_b64"]))
    return sent.parcel if sent and not outwards else None


def _content(content: t.Any, is_base64: bool) -> bytes:
    text = content if isinstance(content, str) else json.dumps(content)
    if not is_base64:
        return text.encode("utf-8", "surrogateescape")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"content: it is not base64: {error}", option="content") from error


def _listed(sent: Sent) -> dict[str, Item]:
    return {item.path: item for item in sent.parcel.items()}
