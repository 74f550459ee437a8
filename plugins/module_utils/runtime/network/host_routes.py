# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which way strangers come: one look into /proc, where a host needs no netlink library.

Source: proc(5), /proc/net/route; net/ipv6/route.c.
"""

from __future__ import annotations

import typing as t

_TABLES = {4: "/proc/thread-self/net/route", 6: "/proc/thread-self/net/ipv6_route"}
_UP = 0x1  # RTF_UP


def outside(version: int, own: t.Container[str]) -> str:
    """The interface of the default route, else another one with a route, but none of `own` and not the
    loopback; empty if there is none.
    """
    found = {name: is_default for is_default, name in _routes(version) if name != "lo" and name not in own}
    return max(found, key=lambda name: found[name], default="")


def _routes(version: int) -> list[tuple[bool, str]]:
    try:
        with open(_TABLES[version], encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    if version == 4:
        routes = [(words[1] == words[7] == "0" * 8, words[0], int(words[3], 16)) for words in lines[1:]]
    else:
        routes = [(words[1] == "00" and words[0] == "0" * 32, words[9], int(words[8], 16)) for words in lines]
    up = [(is_default, name) for is_default, name, flags in routes if flags & _UP]
    return sorted(up)  # a default route comes last, and is what is known of its interface
