# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks, ports and names of a service."""

from __future__ import annotations

import typing as t

from .place import Place
from .stack import Declaration, Service

_OF_PORTS = ("target", "published", "host_ip", "protocol", "mode", "name", "app_protocol")
_OF_NETWORKS = (
    "aliases", "ipv4_address", "ipv6_address", "mac_address", "driver_opts", "gw_priority", "priority",
    "interface_name",
)  # fmt: skip
_INTERFACE = "com.docker.network.endpoint.ifname"
_MODES = ("host", "none", "bridge")


def network_mode(place: Place, service: Service) -> Declaration:
    text = place.text()
    kind, colon, name = text.partition(":")
    if kind == "service" and colon:
        return {"network_mode": f"container:{service.stack.container_of(place, name)}"}
    if text not in _MODES and kind != "container":
        raise place.refusal(
            f"{text} is no mode here", f"write {', '.join(_MODES)} or service:NAME, or use networks"
        )
    return {"network_mode": text}


def networks(service: Service) -> Declaration:
    """With the name of the service as an alias on each."""
    mode, place = service.whole.below("network_mode"), service.whole.below("networks")
    if mode:
        if place:
            raise mode.refusal("there is networks, too", "keep one of them")
        return {}
    asked = keys_of(place)
    items = [(_priority(item), _network(key, item, service)) for key, item in asked.items()]
    ordered = [item for _number, item in sorted(items, key=lambda pair: -pair[0])]
    links, needs = _links(service, asked)
    for item in ordered:
        item.update({"links": links[item["name"]]} if item["name"] in links else {})
    return {"networks": ordered, **({"depends_on": needs} if needs else {})}


def keys_of(place: Place) -> dict[str, Place]:
    """The networks of a service by their names in the file; `default` if it names none."""
    found = (
        place.entries()
        if place.is_mapping
        else {item.text(): Place(None, item.path) for item in place.items()}
    )
    return found or {"default": Place(None, place.path)}


def _priority(place: Place) -> int:
    asked = place.below("priority")
    return asked.number() if asked else 0


def _network(key: str, place: Place, service: Service) -> dict[str, t.Any]:
    if key not in service.stack.networks:
        raise place.refusal(f"there is no network {key}", "declare it below networks")
    parts = place.known(*_OF_NETWORKS)
    aliases = [service.key, *(parts["aliases"].texts() if "aliases" in parts else [])]
    said: dict[str, t.Any] = {"name": service.stack.networks[key], "aliases": list(dict.fromkeys(aliases))}
    for name in ("ipv4_address", "ipv6_address", "mac_address"):
        if name in parts:
            said[name] = parts[name].text()
    if "gw_priority" in parts:
        said["gw_priority"] = parts["gw_priority"].number()
    asked = parts["driver_opts"].entries() if "driver_opts" in parts else {}
    driver_opts = {name: item.text() for name, item in asked.items()}
    if "interface_name" in parts:
        driver_opts[_INTERFACE] = parts["interface_name"].text()
    return {**said, **({"driver_opts": driver_opts} if driver_opts else {})}


def _links(
    service: Service, mine: t.Mapping[str, Place]
) -> tuple[dict[str, list[str]], dict[str, dict[str, str]]]:
    """Aliases by the networks that both are on; and the containers that come first."""
    stack = service.stack
    links: dict[str, list[str]] = {}
    needs: dict[str, dict[str, str]] = {}
    for item in service.whole.below("links").items():
        other, _colon, alias = item.text().partition(":")
        name = stack.container_of(item, other)
        needs[name] = {}
        theirs = keys_of(stack.declared[other].below("networks"))
        for key in mine if alias else ():
            if key in theirs:
                links.setdefault(stack.networks[key], []).append(f"{name}:{alias}")
    return links, needs


def ports(place: Place, service: Service) -> Declaration:
    return {"published_ports": [_port(item) for item in place.items()]}


def _port(place: Place) -> str:
    if not place.is_mapping:
        return place.text()
    parts = place.known(*_OF_PORTS)
    if "target" not in parts:
        raise place.refusal("has no target")
    if "mode" in parts and parts["mode"].text() not in ("host", "ingress"):
        raise parts["mode"].refusal(f"{parts['mode'].value} is no mode", "write host")
    text = parts["target"].text()
    address = parts["host_ip"].text() if "host_ip" in parts else ""
    published = parts["published"].text() if "published" in parts else ""
    if address:
        shown = f"[{address}]" if ":" in address else address
        text = f"{shown}:{published}:{text}"
    elif published:
        text = f"{published}:{text}"
    return text + (f"/{parts['protocol'].text()}" if "protocol" in parts else "")


def extra_hosts(place: Place, service: Service) -> Declaration:
    if place.is_mapping:
        return {"etc_hosts": {name: _address(item.text()) for name, item in place.entries().items()}}
    said = {}
    for item in place.items():
        text = item.text()
        name, sign, address = text.partition("=") if "=" in text else text.partition(":")
        if not sign or not name or not address:
            raise item.refusal(f"{text} is no name with an address", "write name:address")
        said[name] = _address(address)
    return {"etc_hosts": said}


def _address(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text
