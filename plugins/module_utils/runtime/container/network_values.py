# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What people write for the options that connect a container and tell it names. Ports are in `port_values`.

An item of `networks` in normal form has `name`, and of `ipv4_address`, `ipv6_address`, `mac_address`,
`aliases` (sorted), `links` (sorted pairs of name and alias), `driver_opts` and `gw_priority` those that say
something.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .attachments import BRIDGE, DEFAULT_NETWORK, HOST, JOINED, NAMESPACE, NONE
from .mount_values import parse_path
from .values import parse_integer, parse_text, parse_texts, refuse

Item = dict[str, t.Any]

_NETWORK_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}"
_LABEL = r"[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"
_MAC = r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}[.]){2}[0-9a-f]{4}|[0-9a-f]{12}"
_RESOLVER_OPTION = r"[a-z0-9-]{1,64}(?::\d{1,9})?"
_SYSCTL = r"[a-z0-9_]+(?:\.[a-zA-Z0-9_-]+)+"
_INTERFACE = r"[a-zA-Z][a-zA-Z0-9_.-]{0,14}"
_KEYS = (
    "name", "ipv4_address", "ipv6_address", "mac_address", "aliases", "links", "driver_opts", "gw_priority",
)  # fmt: skip

SYSCTL_NAMES = (
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
    "kernel.shmmni", "kernel.shm_rmid_forced",
)  # fmt: skip
SYSCTL_PREFIXES = ("net.", "fs.mqueue.")
"""What a namespace of the container has of its own; everything else would be the host's."""

INTERFACE_NAME = "com.docker.network.endpoint.ifname"
"""The one option of `driver_opts`."""

HOST_GATEWAY = "host-gateway"
"""In `etc_hosts`: the address under which the container reaches the host."""


# Networks


def parse_network_mode(value: t.Any, option: str) -> str:
    """`bridge` (also written `default`, or with the name of the default network), `host`, `none`,
    `container:<name>`, `ns:<path>`, or the name of a network.
    """
    text = parse_text(value, option)
    if text.startswith(NAMESPACE):
        return NAMESPACE + parse_path(text[len(NAMESPACE) :], option)
    name = text[len(JOINED) :] if text.startswith(JOINED) else text
    if not re.fullmatch(_NETWORK_NAME, name, re.ASCII):
        raise refuse(
            value,
            option,
            "is not a network mode",
            "write bridge, host, none, container:NAME, ns:/PATH or the name of a network",
        )
    return BRIDGE if text in ("default", DEFAULT_NETWORK) else text


def parse_networks(value: t.Any, option: str) -> list[Item]:
    """In the order given; a network can be named once."""
    if not isinstance(value, (list, tuple)):
        raise refuse(value, option, "is not a list")
    networks: dict[str, Item] = {}
    for number, given in enumerate(value):
        item = _parse_network(given, f"{option}[{number}]")
        if item["name"] in networks:
            raise refuse(item["name"], option, "is there twice", "keep one of them")
        networks[item["name"]] = item
    for mode in (HOST, NONE):
        if mode in networks and networks != {mode: {"name": mode}}:
            raise refuse(mode, option, "is no network to be on besides others", "use network_mode alone")
    return list(networks.values())


def _parse_network(given: t.Any, option: str) -> Item:
    if not isinstance(given, dict):
        raise refuse(given, option, "is not a dictionary", "write name, and what else there is to say")
    wrong = sorted(set(given).difference(_KEYS, ("priority",)))  # an alias, which Ansible leaves there
    if wrong:
        raise refuse(wrong[0], option, "is unknown", f"known: {', '.join(_KEYS)}")
    item = {"name": _network_name(given.get("name"), f"{option}: name")}
    for key, parse in _PARSERS.items():
        if given.get(key) is not None:
            item[key] = parse(given[key], f"{option}: {key}")
    return {key: content for key, content in item.items() if content}


def _network_name(value: t.Any, option: str) -> str:
    text = parse_text(value, option) if value is not None else ""
    if not re.fullmatch(_NETWORK_NAME, text, re.ASCII):
        raise refuse(
            value, option, "is not the name of a network", "use letters, digits, _ . -, no sign first"
        )
    return DEFAULT_NETWORK if text in (BRIDGE, "default") else text


def _ipv4(value: t.Any, option: str) -> str:
    return _address(value, option, 4)


def _ipv6(value: t.Any, option: str) -> str:
    return _address(value, option, 6)


def _address(value: t.Any, option: str, version: int) -> str:
    """The one spelling of `ipaddress`; empty for an empty text."""
    text = parse_text(value, option).strip()
    if not text:
        return ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise refuse(value, option, f"is not an IPv{version} address") from None
    if address.version != version or (isinstance(address, ipaddress.IPv6Address) and address.scope_id):
        raise refuse(value, option, f"is not an IPv{version} address")
    return str(address)


def parse_mac_address(value: t.Any, option: str) -> str:
    """`02:42:ac:11:00:02`, from that or with `-`, with dots, or without anything between; of one station."""
    text = parse_text(value, option).strip().lower()
    digits = re.sub(r"[:.-]", "", text) if re.fullmatch(_MAC, text, re.ASCII) else ""
    if not digits:
        raise refuse(value, option, "is not a MAC address", "write for example 02:42:ac:11:00:02")
    if int(digits[:2], 16) & 1 or not digits.strip("0"):
        raise refuse(value, option, "is no address of a single interface", "make the second digit even")
    return ":".join(digits[index : index + 2] for index in range(0, 12, 2))


def _aliases(value: t.Any, option: str) -> list[str]:
    return sorted({_host_name(text, text, option) for text in parse_texts(value, option)})


def parse_links(value: t.Any, option: str) -> list[list[str]]:
    """`name:alias` or `name`, which is its own alias."""
    if not isinstance(value, (list, tuple)):
        raise refuse(value, option, "is not a list")
    links = set()
    for given in value:
        name, _colon, alias = (
            ":".join(given) if isinstance(given, (list, tuple)) else parse_text(given, option)
        ).partition(":")
        if not re.fullmatch(_NETWORK_NAME, name, re.ASCII):
            raise refuse(given, option, "is not a link", "write container:alias")
        links.add((name, _host_name(alias or name, given, option)))
    return [list(link) for link in sorted(links)]


def _driver_opts(value: t.Any, option: str) -> dict[str, str]:
    """There is one: the name of the interface in the container."""
    if not isinstance(value, dict):
        raise refuse(value, option, "is not a dictionary")
    for key, given in value.items():
        if key != INTERFACE_NAME:
            raise refuse(key, option, "is unknown", f"there is {INTERFACE_NAME}")
        if not re.fullmatch(_INTERFACE, parse_text(given, option), re.ASCII) or given == "lo":
            raise refuse(given, option, "is not a name for an interface", "use up to 15 letters and digits")
    return dict(value)


def _priority(value: t.Any, option: str) -> int:
    return parse_integer(value, option, -(2**31), 2**31 - 1)


_PARSERS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "ipv4_address": _ipv4,
    "ipv6_address": _ipv6,
    "mac_address": parse_mac_address,
    "aliases": _aliases,
    "links": parse_links,
    "driver_opts": _driver_opts,
    "gw_priority": _priority,
}


# Names


def parse_domainname(value: t.Any, option: str) -> str | None:
    """The domain of the container's host name; none if empty."""
    text = parse_text(value, option).strip().rstrip(".")
    if len(text) > 64 or (text and not _is_host_name(text)):
        raise refuse(value, option, "is not a domain name", "use letters, digits and -, joined by dots")
    return text or None


def parse_dns_servers(value: t.Any, option: str) -> list[str]:
    """Addresses in the order in which they are asked."""
    servers = []
    for text in parse_texts(value, option):
        try:
            servers.append(str(ipaddress.ip_address(text.strip())))
        except ValueError:
            raise refuse(text, option, "is not an address", "name servers are given by address") from None
    return list(dict.fromkeys(servers))


def parse_dns_search_domains(value: t.Any, option: str) -> list[str]:
    """In the order in which they are tried; `.` alone: none, not even those of the host."""
    domains = []
    for text in parse_texts(value, option):
        domain = text.strip().lower()
        if domain != ".":
            domain = _host_name(domain.rstrip("."), text, option)
        domains.append(domain)
    return list(dict.fromkeys(domains))


def parse_dns_opts(value: t.Any, option: str) -> list[str]:
    """Options of resolv.conf(5), sorted."""
    words = [text.strip() for text in parse_texts(value, option)]
    for word in words:
        if not re.fullmatch(_RESOLVER_OPTION, word, re.ASCII):
            raise refuse(word, option, "is not an option of resolv.conf", "write for example ndots:2")
    return sorted(set(words))


def parse_etc_hosts(value: t.Any, option: str) -> dict[str, str]:
    """Addresses by name; `host-gateway` stays that."""
    if not isinstance(value, dict):
        raise refuse(value, option, "is not a dictionary", "write name: address")
    entries = {}
    for name, given in value.items():
        text = parse_text(given, f"{option}: {name}").strip()
        host = _host_name(parse_text(name, option), name, option)
        entries[host] = text if text == HOST_GATEWAY else _any_address(text, given, f"{option}: {name}")
    return dict(sorted(entries.items()))


def _any_address(text: str, value: t.Any, option: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise refuse(value, option, "is not an address", f"or write {HOST_GATEWAY} for the host") from None


def _host_name(text: str, value: t.Any, option: str) -> str:
    """Names are told apart without regard to case, RFC 4343."""
    if not _is_host_name(text):
        raise refuse(value, option, "is not a name", "use letters, digits, _ and -, parts joined by dots")
    return text.lower()


def _is_host_name(text: str) -> bool:
    return len(text) <= 253 and all(re.fullmatch(_LABEL, label, re.ASCII) for label in text.split("."))


# Kernel parameters


def parse_sysctls(value: t.Any, option: str) -> dict[str, str]:
    """Values by name, of the parameters that belong to the container alone."""
    if not isinstance(value, dict):
        raise refuse(value, option, "is not a dictionary", "write net.core.somaxconn: 1024")
    sysctls = {}
    for name, given in value.items():
        text = parse_text(name, option)
        if not re.fullmatch(_SYSCTL, text, re.ASCII) or not _is_own(text):
            raise refuse(
                name,
                option,
                "is not a kernel parameter of a container",
                f"allowed: {', '.join((*SYSCTL_NAMES, *(prefix + '*' for prefix in SYSCTL_PREFIXES)))}",
            )
        setting = " ".join(parse_text(given, f"{option}: {name}").split())
        if not setting:
            raise refuse(given, f"{option}: {name}", "is empty")
        sysctls[text] = setting
    return dict(sorted(sysctls.items()))


def _is_own(name: str) -> bool:
    return name in SYSCTL_NAMES or name.startswith(SYSCTL_PREFIXES)
