# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What people write for the options of a network, brought to one normal form: same meaning, same value.

Names and values are Docker's, and Podman's where it has something that Docker has not. InvalidInput names the
option, the value and a remedy.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ..errors import InvalidInput
from .addresses import pool_of
from .model import BRIDGE, IPVLAN, MACVLAN, IpAddress, IpNetwork, Pool, Route

_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}"
_MODES_OF_CONTAINERS = ("bridge", "container", "default", "host", "none", "ns")
_INTERFACE = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,14}"
_INTERFACES_OF_THE_KERNEL = ("all", "default", "lo")  # the first two are names of its settings
_VLAN_OF_PARENT = r"(.+)\.([1-9]\d{0,3})"

_MODES = {MACVLAN: ("bridge", "private", "vepa", "passthru"), IPVLAN: ("l2", "l3", "l3s")}
_WITHOUT_GATEWAY = ("l3", "l3s")
_LARGEST_MTU = 65535
_SMALLEST_MTU = {4: 68, 6: 1280}  # RFC 791, RFC 8200

_DRIVER_OPTIONS = {BRIDGE: ("bridge", "isolate", "mtu"), MACVLAN: ("mode", "mtu", "parent", "vlan")}
_DRIVER_OPTIONS[IPVLAN] = _DRIVER_OPTIONS[MACVLAN]
_OTHER_NAMES = {
    "bridge_name": "bridge",
    "com.docker.network.bridge.name": "bridge",
    "com.docker.network.driver.mtu": "mtu",
    "ipvlan_mode": "mode",
    "macvlan_mode": "mode",
}
_AS_IT_IS = {
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.gateway_mode_ipv4": "nat",
    "com.docker.network.bridge.gateway_mode_ipv6": "nat",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "ipvlan_flag": "bridge",
}
"""Docker's options that have one value here."""


class DriverOptions(t.NamedTuple):
    bridge: str = ""
    isolated: bool = True
    mode: str = ""
    mtu: int = 0
    parent: str = ""
    vlan: int = 0

    @property
    def has_gateway(self) -> bool:
        return self.mode not in _WITHOUT_GATEWAY


def check_network_name(name: str) -> str:
    """The name, if it is one. Those that mean something else to a container are none."""
    if not re.fullmatch(_NAME, name, re.ASCII):
        raise InvalidInput(
            f"{name!r} is not a name for a network",
            "letters, digits, `_`, `.` and `-`, at most 128, the first one a letter or digit",
        )
    if name in _MODES_OF_CONTAINERS:
        raise InvalidInput(
            f"{name!r} is not a name for a network: it is a `network_mode` of containers",
            "choose another one",
        )
    return name


# Driver options


def parse_driver_options(driver: str, value: t.Mapping[str, t.Any]) -> DriverOptions:
    """What is empty is not given."""
    given: dict[str, str] = {}
    for name, content in value.items():
        text = _text(content, f"driver_options: {name}")
        if name in _AS_IT_IS:
            _check_as_it_is(name, text)
            continue
        known = _OTHER_NAMES.get(name, name)
        if known not in _DRIVER_OPTIONS[driver]:
            raise InvalidInput(
                f"driver_options: the driver {driver} has no option {name!r}",
                f"it has {', '.join(_DRIVER_OPTIONS[driver])}",
            )
        if given.setdefault(known, text) != text:
            raise InvalidInput(f"driver_options: {known} is given twice, with two values", "keep one of them")
    given = {name: text for name, text in given.items() if text}
    parent, vlan = _parent(driver, given)
    return DriverOptions(
        bridge=_interface(given["bridge"], "bridge") if "bridge" in given else "",
        isolated=_boolean(given.get("isolate", "true"), "isolate"),
        mode=_mode(driver, given.get("mode", "")),
        mtu=_mtu(given.get("mtu", "0")),
        parent=parent,
        vlan=vlan,
    )


def _check_as_it_is(name: str, text: str) -> None:
    if text.lower() != _AS_IT_IS[name]:
        hint = "publish ports with an address, or give containers default_host_ip" if "host_" in name else ""
        raise InvalidInput(f"driver_options: {name} is always {_AS_IT_IS[name]} here, not {text!r}", hint)


def _text(value: t.Any, option: str) -> str:
    text = "" if value is None else str(value).strip()
    if isinstance(value, (dict, list)) or re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
        raise InvalidInput(f"{option} is not a text on one line", "quote it")
    return text


def _boolean(text: str, name: str) -> bool:
    if text.lower() in ("true", "yes", "1", "strict"):
        return True
    if text.lower() in ("false", "no", "0"):
        return False
    raise InvalidInput(f"driver_options: {name} is neither true nor false: {text!r}")


def _number(text: str, name: str, lowest: int, highest: int) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not lowest <= int(text) <= highest:
        raise InvalidInput(f"driver_options: {name} is not a number from {lowest} to {highest}: {text!r}")
    return int(text)


def _mtu(text: str) -> int:
    return 0 if text == "0" else _number(text, "mtu", _SMALLEST_MTU[4], _LARGEST_MTU)


def _interface(text: str, name: str) -> str:
    if not re.fullmatch(_INTERFACE, text, re.ASCII) or text in _INTERFACES_OF_THE_KERNEL:
        raise InvalidInput(
            f"driver_options: {name} is not the name of an interface: {text!r}",
            "at most 15 letters, digits, `_`, `.` and `-`",
        )
    return text


def _mode(driver: str, text: str) -> str:
    if driver == BRIDGE:
        return ""
    mode = text.lower() or _MODES[driver][0]
    if mode not in _MODES[driver]:
        raise InvalidInput(
            f"driver_options: {driver} has no mode {text!r}", f"choose one of {', '.join(_MODES[driver])}"
        )
    return mode


def _parent(driver: str, given: t.Mapping[str, str]) -> tuple[str, int]:
    """`parent: eth0.50` is the same as `parent: eth0, vlan: 50`."""
    if driver == BRIDGE:
        return "", 0
    if "parent" not in given:
        raise InvalidInput(
            f"driver_options: the driver {driver} needs a parent",
            "name the interface of the host that leads to the network, for example parent: eth0",
        )
    parent = _interface(given["parent"], "parent")
    vlan = _number(given.get("vlan", "0"), "vlan", 0, 4094)
    match = re.fullmatch(_VLAN_OF_PARENT, parent, re.ASCII)
    if match is None or int(match[2]) > 4094:
        return parent, vlan
    if vlan not in (0, int(match[2])):
        raise InvalidInput(
            f"driver_options: parent {parent} is of VLAN {match[2]}, vlan is {vlan}", "keep one of them"
        )
    return match[1], int(match[2])


# Subnets


def parse_ipam_config(
    entries: t.Sequence[t.Mapping[str, t.Any]], has_gateway: bool = True
) -> tuple[Pool, ...]:
    """In the order given; the gateway that is not named is the first address."""
    pools: list[Pool] = []
    for entry in entries:
        pool = _pool(entry, has_gateway)
        for other in pools:
            if pool.version == other.version and pool.network.overlaps(t.cast(t.Any, other.network)):
                raise InvalidInput(
                    f"ipam_config: {pool.subnet} and {other.subnet} overlap", "keep one of them"
                )
        pools.append(pool)
    return tuple(pools)


def _pool(entry: t.Mapping[str, t.Any], has_gateway: bool) -> Pool:
    subnet = _subnet(entry.get("subnet"), "ipam_config: subnet")
    _check_usable(subnet)
    if not has_gateway and entry.get("gateway"):
        raise InvalidInput(
            "ipam_config: there is no gateway in the modes l3 and l3s of ipvlan",
            "leave it out, or use mode l2",
        )
    gateway = pool_of(subnet).gateway if has_gateway else ""
    if entry.get("gateway"):
        gateway = str(_host(entry["gateway"], subnet, "gateway"))
    reserved = entry.get("aux_addresses") or {}
    return Pool(
        subnet=str(subnet),
        gateway=gateway,
        range=_range(entry.get("iprange"), subnet),
        reserved={
            _text(name, "ipam_config: aux_addresses"): str(_host(reserved[name], subnet, "aux_addresses"))
            for name in sorted(reserved, key=str)
        },
    )


def _subnet(value: t.Any, option: str) -> IpNetwork:
    """Bits of the host are ignored: `10.0.0.5/24` is `10.0.0.0/24`."""
    text = _text(value, option)
    try:
        if "/" not in text or "%" in text:
            raise ValueError
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InvalidInput(
            f"{option}: {text!r} is not a subnet", "write it like 10.0.5.0/24 or fd00:5::/64"
        ) from None


def _check_usable(subnet: IpNetwork) -> None:
    first = subnet.network_address
    if (
        first.is_loopback
        or first.is_multicast
        or first.is_link_local
        or first.is_unspecified
        or (subnet.version == 4 and first.packed[0] in (0, *range(240, 256)))
    ):
        raise InvalidInput(
            f"ipam_config: containers cannot have addresses in {subnet}", "choose another subnet"
        )
    if subnet.num_addresses < 2:
        raise InvalidInput(f"ipam_config: {subnet} has no room for a container", "choose a larger subnet")


def _range(value: t.Any, subnet: IpNetwork) -> str:
    if value in (None, ""):
        return ""
    found: t.Any = _subnet(value, "ipam_config: iprange")
    if found.version != subnet.version or not found.subnet_of(subnet):
        raise InvalidInput(f"ipam_config: iprange {found} is not in the subnet {subnet}")
    return "" if found == subnet else str(found)


def _host(value: t.Any, subnet: IpNetwork, option: str) -> IpAddress:
    address = _address(value, f"ipam_config: {option}")
    if address not in subnet:
        raise InvalidInput(f"ipam_config: {option}: {address} is not in the subnet {subnet}")
    broadcast = subnet.version == 4 and address == subnet.broadcast_address
    if subnet.num_addresses > 2 and (address == subnet.network_address or broadcast):
        raise InvalidInput(f"ipam_config: {option}: nobody can have {address} in the subnet {subnet}")
    return address


def _address(value: t.Any, option: str) -> IpAddress:
    text = _text(value, option)
    try:
        if "%" in text:
            raise ValueError
        return ipaddress.ip_address(text)
    except ValueError:
        raise InvalidInput(f"{option}: {text!r} is not an address") from None


# Names and routes


def parse_dns_servers(value: t.Sequence[t.Any]) -> tuple[str, ...]:
    """In the order given, none twice."""
    return tuple(dict.fromkeys(str(_address(item, "dns_servers")) for item in value))


def parse_routes(value: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Route, ...]:
    """Sorted: their order means nothing."""
    routes = []
    for entry in value:
        destination = _subnet(entry.get("destination"), "routes: destination")
        gateway = _address(entry.get("gateway"), "routes: gateway")
        if destination.version != gateway.version:
            raise InvalidInput(f"routes: {destination} cannot be reached through {gateway}")
        metric = entry.get("metric") or 0
        if not 0 <= metric < 2**32:
            raise InvalidInput(f"routes: metric {metric} is not between 0 and {2**32 - 1}")
        routes.append(Route(str(destination), str(gateway), metric))
    keys = [(route.destination, route.metric) for route in routes]
    for key in keys:
        if len({route.gateway for route in routes if (route.destination, route.metric) == key}) > 1:
            raise InvalidInput(
                f"routes: {key[0]} has two gateways with the same metric", "give one of them another metric"
            )
    return tuple(sorted(set(routes)))


def check_mtu(mtu: int, ipv6: bool) -> None:
    if ipv6 and 0 < mtu < _SMALLEST_MTU[6]:
        raise InvalidInput(f"driver_options: with mtu {mtu} there is no IPv6", f"it needs {_SMALLEST_MTU[6]}")
