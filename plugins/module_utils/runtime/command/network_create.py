# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle network create`"""

from __future__ import annotations

import argparse
import typing as t

from ..errors import InvalidInput

if t.TYPE_CHECKING:
    from ..network.options import NetworkOptions
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--driver",
        default="bridge",
        choices=("bridge", "ipvlan", "macvlan"),
        help="Driver of the network",
    )
    parser.add_argument("--subnet", action="append", default=[], metavar="list", help="Subnet in CIDR format")
    parser.add_argument("--gateway", action="append", default=[], metavar="list", help="Gateway of a subnet")
    parser.add_argument(
        "--ip-range", action="append", default=[], metavar="list", help="Give addresses of this part only"
    )
    parser.add_argument("-o", "--opt", action="append", default=[], metavar="map", help="Driver options")
    parser.add_argument("--ipv6", action="store_true", help="Enable IPv6 networking")
    parser.add_argument("--internal", action="store_true", help="Restrict external access to the network")
    parser.add_argument("--attachable", action="store_true", help="Every network is")
    parser.add_argument("--label", action="append", default=[], metavar="list", help="Set metadata")
    parser.add_argument("--no-dns", action="store_true", help="Do not serve names on the network")
    parser.add_argument("network", metavar="NETWORK-NAME")
    parser.epilog = """
        coracle network create backend
        coracle network create --subnet 10.20.0.0/24 --gateway 10.20.0.1 --internal db
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..network.option_values import check_network_name
    from ..operations.create_network import create_network

    name = check_network_name(options.network)
    network = create_network(context.engine, name, network_options(options))
    if context.json:
        context.say_json({"name": network.name, "id": network.id})
    else:
        context.say(network.id)
    return 0


def network_options(options: argparse.Namespace) -> NetworkOptions:
    from ..container.environment_values import parse_labels
    from ..network.option_values import check_mtu, parse_driver_options, parse_ipam_config
    from ..network.options import NetworkOptions

    driver = parse_driver_options(options.driver, pairs(options.opt, "--opt"))
    pools = parse_ipam_config(_pools(options), driver.has_gateway)
    ipv6 = options.ipv6 or any(pool.version == 6 for pool in pools)
    check_mtu(driver.mtu, ipv6)
    return NetworkOptions(
        driver=options.driver,
        pools=pools,
        ipv6=ipv6,
        internal=options.internal,
        isolated=driver.isolated,
        dns=not options.no_dns,
        labels=parse_labels(pairs(options.label, "--label"), "--label"),
        bridge=driver.bridge,
        parent=driver.parent,
        vlan=driver.vlan,
        mode=driver.mode,
        mtu=driver.mtu,
    )


def pairs(texts: t.Iterable[str], option: str) -> dict[str, str]:
    """`key=value`; a key alone has the empty text."""
    found = {}
    for text in texts:
        key, _equals, value = text.partition("=")
        if not key:
            raise InvalidInput(f"{option}: {text!r} has no name", "write key=value")
        found[key] = value
    return found


def _pools(options: argparse.Namespace) -> list[dict[str, str]]:
    """Gateways and ranges belong to the subnet that they are in."""
    import ipaddress

    pools = [{"subnet": subnet} for subnet in options.subnet]
    for key, values in (("gateway", options.gateway), ("iprange", options.ip_range)):
        for value in values:
            try:
                wanted = ipaddress.ip_interface(value).ip
                found = [
                    pool for pool in pools if wanted in ipaddress.ip_network(pool["subnet"], strict=False)
                ]
            except ValueError as error:
                raise InvalidInput(f"--{key}: {error}") from None
            if not found:
                raise InvalidInput(f"no matching subnet for {key} {value}", "give its --subnet")
            found[0][key] = value
    return pools
