# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Both ends of DNS (RFC 1035): somebody who asks, from any place of the LAN, and a server that remembers what
it was asked.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
import threading
import typing as t

from ansible_collections.coracle.engine.tests.integration.network.lan import Lan, Place

KINDS = {"A": 1, "PTR": 12, "MX": 15, "AAAA": 28}
NXDOMAIN = "NXDOMAIN"
_CODES = {0: "", 2: "SERVFAIL", 3: NXDOMAIN, 5: "REFUSED"}


def ask(
    lan: Lan, place: Place, server: str, name: str, kind: str = "A", *, timeout: float = 2.0, source: str = ""
) -> list[str] | str:
    """The answers, sorted; or what there was instead of them: NXDOMAIN, `refused`, `nothing`."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with lan.inside(place):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    with sock:
        sock.settimeout(timeout)
        if source:
            sock.bind((source, 0))
        number = os.urandom(2)
        try:
            sock.connect((server, 53))
            sock.send(number + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + _question(name, kind))
            message = sock.recv(4096)
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "nothing"
    assert message[:2] == number
    code = message[3] & 15
    return sorted(_answers(message)) if code == 0 else _CODES[code]


def reverse(lan: Lan, place: Place, server: str, address: str) -> list[str] | str:
    return ask(lan, place, server, ipaddress.ip_address(address).reverse_pointer, "PTR")


def _question(name: str, kind: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return labels + b"\0" + struct.pack(">HH", KINDS[kind], 1)


def _answers(message: bytes) -> t.Iterator[str]:
    questions, answers = struct.unpack(">HH", message[4:8])
    place = 12
    for _number in range(questions):
        place = _name(message, place)[1] + 4
    for _number in range(answers):
        place = _name(message, place)[1]
        kind, _class, _ttl, length = struct.unpack(">HHIH", message[place : place + 10])
        place += 10
        data = message[place : place + length]
        yield _name(message, place)[0] if kind == KINDS["PTR"] else str(ipaddress.ip_address(data))
        place += length


def _name(message: bytes, place: int) -> tuple[str, int]:
    """A name, and where what follows it begins."""
    labels = []
    end = 0
    while message[place]:
        if message[place] >= 0xC0:
            end = end or place + 2
            place = int.from_bytes(message[place : place + 2], "big") & 0x3FFF
        else:
            labels.append(message[place + 1 : place + 1 + message[place]].decode())
            place += 1 + message[place]
    return ".".join(labels), end or place + 1


class Upstream:
    """A DNS server for which every name has the same address. `asked`: what it was asked, in order."""

    ANSWER = "203.0.113.9"

    def __init__(self, lan: Lan, place: Place, address: str) -> None:
        self.asked: list[str] = []
        with lan.inside(place):
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sock.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Upstream:
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._sock.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                message, peer = self._sock.recvfrom(4096)
                if not message:
                    return
                self._answer(message, peer)

    def _answer(self, message: bytes, peer: t.Any) -> None:
        name, end = _name(message, 12)
        self.asked.append(name)
        head = message[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0)
        answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(self.ANSWER)
        self._sock.sendto(head + message[12 : end + 4] + answer, peer)
