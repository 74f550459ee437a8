# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What people write about the namespaces of a container, other than the network's. Parsers as in values.py;
`""` and what every container has anyway are None.
"""

from __future__ import annotations

import re
import typing as t

from .attachments import HOST, JOINED, NONE
from .sharing import SHAREABLE
from .values import parse_container_name, parse_text, refuse

PRIVATE = "private"
_ZONE = r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}"


def parse_pid_mode(value: t.Any, option: str) -> str | None:
    return _parse_mode(value, option, (HOST,), joins=True)


def parse_ipc_mode(value: t.Any, option: str) -> str | None:
    return _parse_mode(value, option, (HOST, NONE, SHAREABLE), joins=True)


def parse_uts(value: t.Any, option: str) -> str | None:
    return _parse_mode(value, option, (HOST,))


def parse_cgroupns_mode(value: t.Any, option: str) -> str | None:
    """`host` or `private`; which one is the default depends on the host: private with control groups v2."""
    text = parse_text(value, option)
    if text not in ("", HOST, PRIVATE):
        raise refuse(value, option, "is not a mode", "write host or private")
    return text or None


def _parse_mode(value: t.Any, option: str, words: tuple[str, ...], *, joins: bool = False) -> str | None:
    text = parse_text(value, option)
    if text in ("", PRIVATE):
        return None
    if joins and text.startswith(JOINED):
        return JOINED + parse_container_name(text[len(JOINED) :], option)
    if text not in words:
        known = [*words, PRIVATE, *([f"{JOINED}NAME"] if joins else [])]
        raise refuse(value, option, "is not a mode", f"write {', '.join(known[:-1])} or {known[-1]}")
    return text


def parse_timezone(value: t.Any, option: str) -> str | None:
    """`Europe/Berlin`, a name of the time zone database; `local` is the host's."""
    text = parse_text(value, option)
    if text and not re.fullmatch(_ZONE, text, re.ASCII):
        raise refuse(value, option, "is not a time zone", 'write for example "Europe/Berlin", or local')
    return text or None
