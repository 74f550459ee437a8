# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rules of nf_tables, judged as the kernel does it: a machine with registers, some of whose bytes are not
known (None). An expression that is not known here may have left anything anywhere.

Sources: linux/netfilter/nf_tables.h, net/netfilter/nft_*.c.
"""

from __future__ import annotations

import socket
import struct
import sys
import typing as t

from .nft_chains import Contents, Element, KernelRule, attributes, number, text
from .packets import FORWARD, INPUT, Byte, Bytes, Packet
from .verdicts import ACCEPT, CONTINUE, DROP, GOTO, JUMP, RETURN, Judgement, Verdict
from .xt_matches import Answer, end_of, matches

_SIZE = 80
_KINDS = {0: DROP, 1: ACCEPT, 3: ACCEPT, -1: CONTINUE, -2: CONTINUE, -3: JUMP, -4: GOTO, -5: RETURN}
_ON = Verdict(CONTINUE)
_WITHOUT_EFFECT = frozenset(
    (
        "counter",
        "log",
        "objref",
        "last",
        "notrack",
        "flow_offload",
        "dup",
        "synproxy",
        "tproxy",
        "nat",
        "masq",
    )
)
_PERHAPS = frozenset(("limit", "quota", "connlimit", "dynset"))
_UNICAST, _LOCAL = 1, 2  # RTN_UNICAST, RTN_LOCAL

Attributes = t.Mapping[int, bytes]


class NftRule:
    """`contents_of(name)`: what is in a set of the rule's table."""

    def __init__(self, rule: KernelRule, contents_of: t.Callable[[str], Contents]) -> None:
        self._expressions = rule.expressions
        self._contents_of = contents_of

    def judge(self, packet: Packet) -> Judgement:
        """A rule that cannot be read may do anything: its maker's rules are not judged by it."""
        try:
            return _Machine(packet, self._contents_of).run(self._expressions)
        except (LookupError, ValueError, struct.error):
            return None, Verdict(ACCEPT)


class _Machine:
    def __init__(self, packet: Packet, contents_of: t.Callable[[str], Contents]) -> None:
        self._packet = packet
        self._contents_of = contents_of
        self._registers: list[Byte] = [None] * _SIZE
        self._verdict = _ON

    def run(self, expressions: t.Iterable[tuple[str, Attributes]]) -> Judgement:
        applies: Answer = True
        for name, values in expressions:
            answer = self._step(name, values)
            if answer is False:
                return False, _ON
            if answer is None:
                applies = None
            if self._verdict.kind != CONTINUE:
                break
        return applies, self._verdict

    def _step(self, name: str, values: Attributes) -> Answer:
        step: t.Callable[[Attributes], Answer] | None = getattr(self, f"_do_{name}", None)
        if step is not None:
            return step(values)
        if name in _WITHOUT_EFFECT:
            return True
        if name not in _PERHAPS:
            self._registers = [None] * _SIZE
        return None

    # What loads a register

    def _do_meta(self, values: Attributes) -> Answer:
        if 1 in values:
            self._put(values[1], _meta(self._packet, number(values[2])))
        return True

    def _do_ct(self, values: Attributes) -> Answer:
        if 1 not in values:
            return True
        known = {0: self._packet.state, 2: self._packet.status}
        key = number(values[2])
        self._put(values[1], _host_order(known[key]) if key in known else (None,) * 16)
        return True

    def _do_payload(self, values: Attributes) -> Answer:
        if 1 not in values:
            return True  # it changes the packet
        headers = {1: self._packet.network_header, 2: self._packet.transport_header}
        base, offset, length = (number(values[kind]) for kind in (2, 3, 4))
        header = headers[base]() if base in headers else ()
        found = header[offset : offset + length]
        self._put(values[1], (*found, *(None,) * (length - len(found))))
        return True

    def _do_fib(self, values: Attributes) -> Answer:
        result, flags = number(values[2]), number(values[3])
        kind: Bytes = (None,) * 16
        if result == 3 and flags == 2:  # the type of the destination
            kind = _host_order(_LOCAL if self._packet.hook == INPUT else _UNICAST)
        elif result == 3 and flags == 1 and self._packet.hook in (FORWARD, INPUT):
            kind = _host_order(_UNICAST)
        self._put(values[1], kind)
        return True

    def _do_immediate(self, values: Attributes) -> Answer:
        data = attributes(values[2])
        if 2 in data:
            self._verdict = _verdict(data[2])
        elif 1 in data:
            self._put(values[1], tuple(data[1]))
        return True

    def _do_bitwise(self, values: Attributes) -> Answer:
        length = number(values[3])
        if number(values.get(6, bytes(4))) or 4 not in values or 5 not in values:
            self._put(values[2], (None,) * length)
            return True
        mask, flipped = (attributes(values[kind])[1] for kind in (4, 5))
        source = self._get(values[1], length)
        self._put(values[2], tuple(map(_masked, source, mask, flipped)))
        return True

    def _do_byteorder(self, values: Attributes) -> Answer:
        length, size = number(values[4]), number(values[5])
        source = self._get(values[1], length)
        if sys.byteorder == "little":
            groups = (source[at : at + size][::-1] for at in range(0, length, size))
            source = tuple(byte for group in groups for byte in group)
        self._put(values[2], source)
        return True

    # What asks

    def _do_cmp(self, values: Attributes) -> Answer:
        wanted = attributes(values[3])[1]
        found = self._get(values[1], len(wanted))
        return _compared(number(values[2]), found, wanted)

    def _do_range(self, values: Attributes) -> Answer:
        first, last = (attributes(values[kind])[1] for kind in (3, 4))
        found = _whole(self._get(values[1], len(first)))
        return None if found is None else (first <= found <= last) != bool(number(values[2]))

    def _do_lookup(self, values: Attributes) -> Answer:
        inverted = bool(number(values.get(5, bytes(4))) & 1)
        found = self._found(values)
        if found is None:
            if 3 in values:
                self._forget(values[3])
            return None
        if 3 in values and found[0]:
            self._take(values[3], found[1])
        return found[0] != inverted

    def _do_match(self, values: Attributes) -> Answer:
        return matches(self._packet, text(values[1]), number(values[2]), values[3])

    # What ends

    def _do_reject(self, _values: Attributes) -> Answer:
        self._verdict = Verdict(DROP)
        return True

    def _do_queue(self, _values: Attributes) -> Answer:
        self._verdict = Verdict(ACCEPT)
        return True

    def _do_target(self, values: Attributes) -> Answer:
        self._verdict = Verdict(end_of(text(values[1])))
        return True

    # Maps

    def _found(self, values: Attributes) -> tuple[bool, Attributes] | None:
        """Whether a set has what the register has, and what a map says to it. None: perhaps."""
        if self._registers[_place(values[2])] is None:
            return None  # whatever is in it
        contents = self._contents_of(text(values[1]))
        lengths = {len(element.key) for element in contents.elements if element.key}
        if not contents.elements:
            return False, {}
        key = _whole(self._get(values[2], max(lengths, default=0)))
        if key is None:
            return None
        found = _member(contents, key)
        if found is None:
            return False, {}
        return True, found

    def _take(self, register: bytes, data: Attributes) -> None:
        if 2 in data:
            self._verdict = _verdict(data[2])
        elif 1 in data:
            self._put(register, tuple(data[1]))

    def _forget(self, register: bytes) -> None:
        """Perhaps the map has a verdict for the packet: none that could be said to be its end."""
        if number(register):
            self._put(register, (None,) * 16)
        else:
            self._verdict = Verdict(ACCEPT)

    # Registers

    def _get(self, register: bytes, length: int) -> Bytes:
        at = _place(register)
        return tuple(self._registers[at : at + length])

    def _put(self, register: bytes, value: Bytes) -> None:
        """The rest of the last quarter is cleared."""
        at = _place(register)
        whole = (*value, *(0,) * (-len(value) % 4))
        self._registers[at : at + len(whole)] = whole


def _place(register: bytes) -> int:
    """Four registers of 16 bytes have other names for their sixteen quarters."""
    index = number(register)
    return (index - 1) * 16 if index < 8 else (index - 8) * 4


def _meta(packet: Packet, key: int) -> Bytes:
    if key in (6, 7):
        name = (packet.enters if key == 6 else packet.leaves).encode("utf-8", "surrogateescape")
        return tuple(name.ljust(16, b"\0"))
    if key in (4, 5):
        return _index(packet.enters if key == 4 else packet.leaves)
    if key == 1:
        return tuple(struct.pack(">H", 0x0800 if packet.version == 4 else 0x86DD))
    if key == 15:
        return (socket.AF_INET if packet.version == 4 else socket.AF_INET6,)
    if key == 16:
        return (packet.protocol,)
    return (None,) * 16


def _index(name: str) -> Bytes:
    if not name:
        return _host_order(0)
    try:
        return _host_order(socket.if_nametoindex(name))
    except OSError:
        return (None,) * 4


def _host_order(value: int) -> Bytes:
    return tuple(struct.pack("=I", value))


def _masked(byte: Byte, mask: int, flipped: int) -> Byte:
    if byte is None:
        return flipped if not mask else None
    return byte & mask ^ flipped


def _whole(value: Bytes) -> bytes | None:
    known = [byte for byte in value if byte is not None]
    return bytes(known) if len(known) == len(value) else None


def _compared(operator: int, found: Bytes, wanted: bytes) -> Answer:
    whole = _whole(found)
    if whole is None:
        differs = any(byte is not None and byte != other for byte, other in zip(found, wanted))
        return operator == 1 if differs and operator < 2 else None
    answers = (
        whole == wanted,
        whole != wanted,
        whole < wanted,
        whole <= wanted,
        whole > wanted,
        whole >= wanted,
    )
    return answers[operator]


def _member(contents: Contents, key: bytes) -> Attributes | None:
    """What goes with the key; None if it is not in there."""
    everybody = next((element.data for element in contents.elements if element.catches_all), None)
    plain = [element for element in contents.elements if not element.catches_all]
    if contents.has_ranges and not contents.is_concatenated:
        below = [element for element in plain if element.key <= key]
        last = max(below, key=lambda element: (element.key, not element.closes), default=None)
        return everybody if last is None or last.closes else last.data
    for element in plain:
        if element.key == key or (element.key_end and _within(element, key)):
            return element.data
    return everybody


def _within(element: Element, key: bytes) -> bool:
    """Each part, of four bytes or several fours, in its range; parts are compared four bytes at a time."""
    parts = range(0, len(key), 4)
    return all(element.key[at : at + 4] <= key[at : at + 4] <= element.key_end[at : at + 4] for at in parts)


def _verdict(data: bytes) -> Verdict:
    values = attributes(data)
    (code,) = struct.unpack(">i", values[1])
    return Verdict(_KINDS.get(code, ACCEPT), text(values.get(2, b"")))
