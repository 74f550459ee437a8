# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`WWW-Authenticate`: what a server wants before it answers (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re
import typing as t

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_SEPARATOR = r"[\s,]*"
_PARAMETER = rf'({_TOKEN})\s*=\s*(?:({_TOKEN}(?=[\s,]|\Z))|"([^"\\]*(?:\\.[^"\\]*)*)")'
_SCHEME = rf"({_TOKEN})(?=[\s,]|\Z)"
_TOKEN_68 = r"[A-Za-z0-9._~+/-]+=*(?=\s*,|\s*\Z)"


class Challenge(t.NamedTuple):
    scheme: str
    """Lower case: `basic`, `bearer`."""
    parameters: dict[str, str]


def parse_challenges(headers: t.Sequence[str]) -> list[Challenge]:
    """All challenges of all headers, in order; reading stops at the first thing that is not one."""
    return [challenge for header in headers for challenge in _parse_header(header)]


def _parse_header(header: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    position = _skip(_SEPARATOR, header, 0)
    while position < len(header):
        parameter = _match(_PARAMETER, header, position) if challenges else None
        if parameter:
            name, token, quoted = parameter.groups()
            value = token if token is not None else re.sub(r"\\(.)", r"\1", quoted)
            challenges[-1].parameters.setdefault(name.lower(), value)
            position = parameter.end()
        else:
            scheme = _match(_SCHEME, header, position)
            if not scheme:
                break
            challenges.append(Challenge(scheme[1].lower(), {}))
            position = _skip(_SEPARATOR, header, scheme.end())
            if not _match(_PARAMETER, header, position) and "," not in header[scheme.end() : position]:
                position = _skip(_TOKEN_68, header, position)
        position = _skip(_SEPARATOR, header, position)
    return challenges


def _match(pattern: str, text: str, position: int) -> re.Match[str] | None:
    return re.compile(pattern).match(text, position)


def _skip(pattern: str, text: str, position: int) -> int:
    match = _match(pattern, text, position)
    return match.end() if match else position
