# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How rtnetlink(7) spells links, addresses and routes, as far as links.py speaks of them: to bytes and back.

Sources: linux/{rtnetlink,if_link,if_addr}.h.
"""

from __future__ import annotations

import ipaddress
import struct
import typing as t

Attributes = t.Sequence[tuple[str, t.Any]]
"""Name and value; the value of one that holds others is a sequence of them."""

_ATTRIBUTE = struct.Struct("=HH")  # length, type
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_COUNTERS = struct.Struct("=4Q")  # packets received and sent, bytes received and sent


class Codec(t.NamedTuple):
    encode: t.Callable[[t.Any], bytes]
    decode: t.Callable[[bytes], t.Any]


Table = t.Mapping[str, tuple[int, Codec]]


class Layout(t.NamedTuple):
    """`fields` are those of `header`, in order."""

    header: struct.Struct
    fields: tuple[str, ...]
    attributes: Table


class Message:
    """What the kernel has said of one object. Attributes are decoded when somebody asks for them."""

    def __init__(self, layout: Layout, body: bytes) -> None:
        self.fields: dict[str, int] = dict(zip(layout.fields, layout.header.unpack_from(body)))
        self._attributes = Nest(layout.attributes, body[layout.header.size :])

    def get(self, name: str) -> t.Any:
        """None if it is not there."""
        return self._attributes.get(name)


class Nest:
    """Attributes side by side."""

    def __init__(self, table: Table, content: bytes) -> None:
        self._table = table
        self._found: dict[int, bytes] = {}
        at = 0
        while at + _ATTRIBUTE.size <= len(content):
            length, kind = _ATTRIBUTE.unpack_from(content, at)
            self._found[kind & _TYPE_MASK] = content[at + _ATTRIBUTE.size : at + length]
            at += max((length + 3) & ~3, _ATTRIBUTE.size)

    def get(self, name: str) -> t.Any:
        number, codec = self._table[name]
        content = self._found.get(number)
        return None if content is None else codec.decode(content)


def encode(layout: Layout, fields: t.Mapping[str, int], attributes: Attributes) -> bytes:
    """Fields that are not given are 0."""
    strangers = set(fields).difference(layout.fields)
    if strangers:
        raise ValueError(f"no such field: {', '.join(sorted(strangers))}")
    header = layout.header.pack(*(fields.get(name, 0) for name in layout.fields))
    return header + _encode_all(layout.attributes, attributes)


def _encode_all(table: Table, attributes: Attributes) -> bytes:
    encoded = []
    for name, value in attributes:
        number, codec = table[name]
        content = codec.encode(value)
        length = _ATTRIBUTE.size + len(content)
        encoded.append(_ATTRIBUTE.pack(length, number) + content + bytes(-length % 4))
    return b"".join(encoded)


# Values


def _number(form: str) -> Codec:
    packed = struct.Struct(f"={form}")
    return Codec(packed.pack, lambda content: packed.unpack_from(content)[0])


def _nest(table: Table, before: bytes = b"") -> Codec:
    return Codec(
        lambda attributes: before + _encode_all(table, attributes),
        lambda content: Nest(table, content[len(before) :]),
    )


def _traffic(content: bytes) -> tuple[int, int]:
    """Bytes received and sent."""
    counters = _COUNTERS.unpack_from(content)
    return counters[2], counters[3]


def _unsaid(_value: t.Any) -> bytes:
    raise ValueError("only the kernel says that")


_U8, _U16, _U32 = _number("B"), _number("H"), _number("I")
_TEXT = Codec(
    lambda text: text.encode() + b"\0", lambda content: content.rstrip(b"\0").decode(errors="replace")
)
_MAC = Codec(lambda text: bytes.fromhex(text.replace(":", "")), lambda content: content.hex(":"))
_IP = Codec(
    lambda text: ipaddress.ip_address(text).packed, lambda content: str(ipaddress.ip_address(content))
)

_LINK_HEADER = struct.Struct("=BxHiII")
_PEER: Table = {
    "IFLA_ADDRESS": (1, _MAC),
    "IFLA_IFNAME": (3, _TEXT),
    "IFLA_MTU": (4, _U32),
    "IFLA_NET_NS_FD": (28, _U32),
}
_DATA: Table = {
    "VETH_INFO_PEER": (1, _nest(_PEER, bytes(_LINK_HEADER.size))),
    "IFLA_VLAN_ID": (1, _U16),
    "IFLA_MACVLAN_MODE": (1, _U32),
    "IFLA_IPVLAN_MODE": (1, _U16),
}
_PORT: Table = {"IFLA_BRPORT_STATE": (1, _U8), "IFLA_BRPORT_MODE": (4, _U8)}
_INFO: Table = {
    "IFLA_INFO_KIND": (1, _TEXT),
    "IFLA_INFO_DATA": (2, _nest(_DATA)),
    "IFLA_INFO_SLAVE_KIND": (4, _TEXT),
    "IFLA_INFO_SLAVE_DATA": (5, _nest(_PORT)),
}

LINK = Layout(
    _LINK_HEADER,
    ("family", "type", "index", "flags", "change"),
    {
        **_PEER,
        "IFLA_LINK": (5, _U32),
        "IFLA_MASTER": (10, _U32),
        "IFLA_LINKINFO": (18, _nest(_INFO)),
        "IFLA_IFALIAS": (20, _TEXT),
        "IFLA_STATS64": (23, Codec(_unsaid, _traffic)),
        "IFLA_GROUP": (27, _U32),
    },
)
ADDRESS = Layout(
    struct.Struct("=BBBBI"),
    ("family", "prefixlen", "flags", "scope", "index"),
    {"IFA_ADDRESS": (1, _IP), "IFA_LOCAL": (2, _IP), "IFA_BROADCAST": (4, _IP)},
)
ROUTE = Layout(
    struct.Struct("=8BI"),
    ("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type", "flags"),
    {
        "RTA_DST": (1, _IP),
        "RTA_OIF": (4, _U32),
        "RTA_GATEWAY": (5, _IP),
        "RTA_PRIORITY": (6, _U32),
    },
)
