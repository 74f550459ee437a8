# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What /etc/hosts and /etc/resolv.conf of a container say: from what was asked for, and from its networks."""

from __future__ import annotations

import ipaddress
import typing as t

from ..container.attachments import HOST, NONE, has_interfaces, joined_container, network_mode
from ..container.host_files import (
    HostFiles,
    Hosts,
    Resolver,
    hosts_of_host,
    resolver_for_containers,
    resolver_of_host,
)
from ..container.host_files import write_host_files as write_files
from ..container.records import ContainerRecord, hidden_for, is_hidden
from ..container.sharing import host_name
from ..linux.locks import lock
from ..network.model import BRIDGE, Endpoint, Network
from ..network.name_server import can_serve
from ..network.records import endpoints_of, find_network

if t.TYPE_CHECKING:
    from ..engine import Engine

Place = tuple[Endpoint, Network]

_HOST_ADDRESSES = ("127.0.0.1",)  # where the container has the host's own network


def write_host_files(engine: Engine, record: ContainerRecord) -> None:
    """Write the files of a container that is being prepared and has its places on networks. Names of others
    come with `update_names`, before its program runs.

    A container that shares the network of another one has the other one's files.
    """
    if joined_container(network_mode(record.config)):
        return
    with lock(engine.paths, "network"):
        with engine.records.snapshot() as rows:
            found = [
                (endpoint, find_network(rows, endpoint.network)) for endpoint in endpoints_of(rows, record.id)
            ]
        places = [(endpoint, network) for endpoint, network in found if network is not None]
        served = {network.id for _endpoint, network in places if can_serve(engine.paths, network)}
        files = host_files_of(record, places, served, resolver_of(record))
        write_files(engine.paths.container(record.id), files)


def resolver_of(record: ContainerRecord) -> Resolver:
    """The host's word on name servers, as far as it holds in the container."""
    mode = network_mode(record.config)
    if mode == HOST:
        return resolver_of_host()
    return Resolver() if mode == NONE else resolver_for_containers()


def host_files_of(
    record: ContainerRecord,
    places: t.Sequence[Place],
    served: t.Container[str],
    host: Resolver,
    others: Hosts = (),
) -> HostFiles:
    """`served`: ids of networks on which the DNS server answers; `host`: what `resolver_of` says."""
    config = record.config
    mode = network_mode(config)
    places = sorted(places, key=lambda place: -place[0].priority)
    return HostFiles(
        hostname=host_name(config, record.id),
        resolver=_resolver(record, places, served, host),
        domainname=config.domainname or "",
        name=hidden_for(record.name) if is_hidden(record.name) else record.name,
        addresses=tuple(
            str(ipaddress.ip_interface(address).ip)
            for endpoint, _network in places
            for address in endpoint.addresses
        ),
        host_addresses=_HOST_ADDRESSES if mode == HOST else _host_addresses(places),
        asked=config.etc_hosts or {},
        others=others,
        hosts_of_host=hosts_of_host() if mode == HOST else "",
    )


def _host_addresses(places: t.Sequence[Place]) -> tuple[str, ...]:
    """The host is the gateway of a bridge; of an internal one it is none that would let anybody in."""
    for endpoint, network in places:
        if network.driver == BRIDGE and not network.internal:
            return _gateways(endpoint, network)
    return ()


def _gateways(endpoint: Endpoint, network: Network) -> tuple[str, ...]:
    """Those that the container has an address for."""
    versions = [version for version in (4, 6) if endpoint.address(version)]
    return tuple(filter(None, map(network.gateway, versions)))


def _resolver(
    record: ContainerRecord, places: t.Sequence[Place], served: t.Container[str], host: Resolver
) -> Resolver:
    config = record.config
    isolated = bool(places) and all(network.internal for _endpoint, network in places)
    if isolated or (not places and has_interfaces(network_mode(config))):
        host = Resolver()
    asked = Resolver(
        tuple(config.dns_servers or ()), tuple(config.dns_search_domains or ()), tuple(config.dns_opts or ())
    )
    search = asked.search or host.search
    gateways = [_gateways(endpoint, network) for endpoint, network in places if network.id in served]
    if any(gateways):
        servers = tuple(addresses[0] for addresses in gateways if addresses)
        return Resolver(servers, search, (*asked.options, *_options(asked.options, isolated)))
    return Resolver(asked.servers or _servers(places) or host.servers, search, asked.options or host.options)


def _servers(places: t.Sequence[Place]) -> tuple[str, ...]:
    return tuple(
        server for _endpoint, network in places if not network.internal for server in network.dns_servers
    )


def _options(asked: t.Sequence[str], isolated: bool) -> t.Iterator[str]:
    """ndots: names of containers have no dots; a search domain must not come before them. The others: an old
    server gives no answer where it must not ask others; one that answers does so within a millisecond.
    """
    defaults = ["ndots:0"]
    if isolated:
        defaults += ["timeout:1", "attempts:2"]
    for option in defaults:
        name = option.partition(":")[0] + ":"
        if not any(word.startswith(name) for word in asked):
            yield option
