# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`published_ports`, `exposed_ports` and `default_host_ip`: ports as the docker command line writes them.

The normal form of a published port is one dictionary for each port of the container:

    {"host_ip": "", "host_port": 8080, "host_port_end": 8080, "container_port": 80, "protocol": "tcp"}

`host_ip` is empty (every address of the host, IPv4 and IPv6), `0.0.0.0` (every IPv4 address), `::` (every
IPv6 address) or one address. `host_port` 0: any free port; with a greater `host_port_end`: the first free one
of a range.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .values import parse_text, refuse

Item = dict[str, t.Any]

PROTOCOLS = ("tcp", "udp", "sctp")
_EXPOSED = r"([0-9]+(?:-[0-9]+)?)(?:/(\w+))?"
_PUBLISHED = r"(?:(?:(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]*)):)?([0-9]*(?:-[0-9]+)?):)?" + _EXPOSED
_SYNTAX = "write [[address:]host port:]container port[/protocol]; ports can be ranges, IPv6 goes in brackets"


def parse_published_ports(value: t.Any, option: str) -> list[Item]:
    """Normal forms, each once, sorted by container port."""
    found = {}
    for item in _items(value):
        for port in _published(item, option):
            found[port_key(port)] = port
    return [found[key] for key in sorted(found)]


def parse_exposed_ports(value: t.Any, option: str) -> list[str]:
    """`["53/udp", "80/tcp"]`: each once, by number, ranges spelled out."""
    found: set[tuple[int, str]] = set()
    for item in _items(value):
        match = re.fullmatch(_EXPOSED, parse_text(item, option).strip(), re.ASCII)
        if not match:
            raise refuse(item, option, "is not a port", "write port[-port][/protocol]")
        first, last = _range(item, match[1], option)
        protocol = _protocol(item, match[2], option)
        found.update((number, protocol) for number in range(first, last + 1))
    return [f"{number}/{protocol}" for number, protocol in sorted(found)]


def parse_default_host_ip(value: t.Any, option: str) -> str:
    """An address, or empty: every address of the host."""
    text = parse_text(value, option).strip()
    return _address(value, text.strip("[]"), option) if text else ""


def wanted_ports(config: t.Any, image_exposed: t.Iterable[str] = ()) -> list[Item]:
    """What a container's configuration asks of the host, for `reserve_ports`: ports that name no address get
    the default one; with `publish_all_ports` each exposed port that is not published gets a free port.

    `image_exposed` are the ports that its image exposes, as the image writes them: `80/tcp`, `53/udp`, `80`.
    """
    ports = list(config.published_ports or ())
    if config.publish_all_ports:
        ports += _unpublished(ports, [*(config.exposed_ports or ()), *image_exposed])
    default = config.default_host_ip or ""
    return sorted(({**port, "host_ip": port["host_ip"] or default} for port in ports), key=port_key)


def _unpublished(published: t.Sequence[Item], exposed: t.Sequence[str]) -> t.Iterator[Item]:
    there = {(port["container_port"], port["protocol"]) for port in published}
    for text in parse_exposed_ports(exposed, "exposed_ports"):
        number, _slash, protocol = text.partition("/")
        if (int(number), protocol) not in there:
            yield _port("", 0, 0, int(number), protocol)


def _items(value: t.Any) -> t.Sequence[t.Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _published(value: t.Any, option: str) -> t.Iterator[Item]:
    if isinstance(value, dict):
        yield dict(value)
        return
    match = re.fullmatch(_PUBLISHED, parse_text(value, option).strip(), re.ASCII)
    if not match:
        raise refuse(value, option, "is not a published port", _SYNTAX)
    address = match[1] or match[2] or ""
    host_ip = _address(value, address, option) if address else ""
    protocol = _protocol(value, match[5], option)
    first, last = _range(value, match[4], option)
    if not match[3] or match[3] == "0":
        yield from (_port(host_ip, 0, 0, number, protocol) for number in range(first, last + 1))
        return
    host_first, host_last = _range(value, match[3], option)
    if first == last:
        yield _port(host_ip, host_first, host_last, first, protocol)
        return
    if host_last - host_first != last - first:
        raise refuse(value, option, "has ranges of different length", "let both have as many ports")
    for number in range(first, last + 1):
        host_port = host_first + number - first
        yield _port(host_ip, host_port, host_port, number, protocol)


def _port(host_ip: str, host_port: int, host_port_end: int, container_port: int, protocol: str) -> Item:
    return {
        "host_ip": host_ip,
        "host_port": host_port,
        "host_port_end": host_port_end,
        "container_port": container_port,
        "protocol": protocol,
    }


def port_key(port: Item) -> tuple[t.Any, ...]:
    names = ("container_port", "protocol", "host_ip", "host_port", "host_port_end")
    return tuple(port[name] for name in names)


def _range(value: t.Any, text: str, option: str) -> tuple[int, int]:
    first, _dash, last = text.partition("-")
    if not first:
        raise refuse(value, option, "has a range without a beginning", _SYNTAX)
    numbers = (int(first[:9]), int((last or first)[:9]))
    if not all(0 < number < 65536 for number in numbers):
        raise refuse(value, option, "has a port that is not between 1 and 65535")
    if numbers[0] > numbers[1]:
        raise refuse(value, option, "has a range that ends before it begins")
    return numbers


def _protocol(value: t.Any, text: str | None, option: str) -> str:
    protocol = (text or "tcp").lower()
    if protocol not in PROTOCOLS:
        raise refuse(value, option, f"has the unknown protocol {text}", f"known are {', '.join(PROTOCOLS)}")
    return protocol


def _address(value: t.Any, text: str, option: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise refuse(value, option, f"has {text!r}, which is no IP address", _SYNTAX) from None
    if address.is_multicast or (address.version == 6 and (address.ipv4_mapped or "%" in text)):
        raise refuse(value, option, f"has {text!r}, which no port can be published on")
    return str(address)
