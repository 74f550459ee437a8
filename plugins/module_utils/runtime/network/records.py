# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the state file knows of networks. All functions work inside a transaction, or a read, of the caller.

That no address is given twice and no port is published twice is the state file's own promise: both are
primary keys. A container's endpoints, addresses and ports go with its row.
"""

from __future__ import annotations

import typing as t

from ..errors import StateError
from .model import Endpoint, Network, PublishedPort

if t.TYPE_CHECKING:
    from ..state.database import Reader, Transaction

_PORT = "container_id, host_ip, protocol, host_port, container_port"


# Networks


def insert_network(transaction: Transaction, network: Network) -> None:
    transaction.execute(
        "INSERT INTO networks (name, id, record, created) VALUES (?, ?, ?, ?)",
        (network.name, network.id, network.to_json(), network.created),
    )


def save_network(transaction: Transaction, network: Network) -> None:
    """Write down what is known about a network that exists."""
    transaction.execute("UPDATE networks SET record = ? WHERE name = ?", (network.to_json(), network.name))


def delete_network(transaction: Transaction, name: str) -> None:
    transaction.execute("DELETE FROM networks WHERE name = ?", (name,))


def find_network(reader: Reader, name: str) -> Network | None:
    """By exact name, else by full id."""
    row = reader.one("SELECT name, record FROM networks WHERE name = ?", (name,))
    row = row or reader.one("SELECT name, record FROM networks WHERE id = ?", (name,))
    return _network(row) if row else None


def list_networks(reader: Reader) -> list[Network]:
    """All of them, by name."""
    return [_network(row) for row in reader.all("SELECT name, record FROM networks ORDER BY name")]


def _network(row: t.Any) -> Network:
    return t.cast(Network, _whole(Network, row["record"], f"network {row['name']}"))


# Endpoints and their addresses


def save_endpoint(transaction: Transaction, endpoint: Endpoint) -> None:
    """Put it there, with its addresses, or change it. Conflict if somebody else has one of the
    addresses: look (`addresses_in`) in the same transaction first.
    """
    key = (endpoint.container_id, endpoint.network)
    delete_endpoint(transaction, *key)
    transaction.execute(
        "INSERT INTO endpoints (container_id, network, record) VALUES (?, ?, ?)", (*key, endpoint.to_json())
    )
    for address in endpoint.addresses:
        transaction.execute(
            "INSERT INTO addresses (network, address, container_id) VALUES (?, ?, ?)",
            (endpoint.network, address.partition("/")[0], endpoint.container_id),
        )


def delete_endpoint(transaction: Transaction, container_id: str, network: str) -> None:
    for table in ("endpoints", "addresses"):
        transaction.execute(
            f"DELETE FROM {table} WHERE container_id = ? AND network = ?", (container_id, network)
        )


def endpoints_of(reader: Reader, container_id: str) -> list[Endpoint]:
    """In the order of the container's interfaces."""
    rows = reader.all(
        "SELECT container_id, network, record FROM endpoints WHERE container_id = ?", (container_id,)
    )
    return sorted(map(_endpoint, rows), key=lambda endpoint: (len(endpoint.interface), endpoint.interface))


def endpoints_in(reader: Reader, network: str) -> list[Endpoint]:
    """Those of one network, by container id."""
    query = "SELECT container_id, network, record FROM endpoints WHERE network = ? ORDER BY container_id"
    return [_endpoint(row) for row in reader.all(query, (network,))]


def list_endpoints(reader: Reader) -> list[Endpoint]:
    query = "SELECT container_id, network, record FROM endpoints ORDER BY network, container_id"
    return [_endpoint(row) for row in reader.all(query)]


def addresses_in(reader: Reader, network: str) -> dict[str, str]:
    """The container that has it, by address without prefix length."""
    rows = reader.all("SELECT address, container_id FROM addresses WHERE network = ?", (network,))
    return {row["address"]: row["container_id"] for row in rows}


def container_name(reader: Reader, container_id: str) -> str:
    """How people call it; also one half of a replacement (`.web.5f3c…`) goes by the name of the whole."""
    row = reader.one("SELECT name FROM containers WHERE id = ?", (container_id,))
    name: str = row["name"] if row else container_id[:12]
    return name[1:].rpartition(".")[0] if name.startswith(".") else name


def _endpoint(row: t.Any) -> Endpoint:
    what = f"the place of container {row['container_id'][:12]} on network {row['network']}"
    return t.cast(Endpoint, _whole(Endpoint, row["record"], what))


# Published ports


def insert_port(transaction: Transaction, port: PublishedPort) -> None:
    """Conflict if it is published already: look (`list_ports`) in the same transaction first."""
    transaction.execute(f"INSERT INTO ports ({_PORT}) VALUES (?, ?, ?, ?, ?)", tuple(port))


def delete_ports(transaction: Transaction, container_id: str) -> None:
    transaction.execute("DELETE FROM ports WHERE container_id = ?", (container_id,))


def delete_port(transaction: Transaction, port: PublishedPort) -> None:
    transaction.execute(
        "DELETE FROM ports WHERE host_ip = ? AND protocol = ? AND host_port = ?",
        (port.host_ip, port.protocol, port.host_port),
    )


def ports_of(reader: Reader, container_id: str) -> list[PublishedPort]:
    query = (
        f"SELECT {_PORT} FROM ports WHERE container_id = ?"
        " ORDER BY container_port, protocol, host_ip, host_port"
    )
    return [PublishedPort(*row) for row in reader.all(query, (container_id,))]


def open_ports(reader: Reader, container_id: str) -> list[PublishedPort]:
    """Those that lead somewhere while the container runs: a port of every IPv6 address (`::`) is kept for it
    anyway, and leads nowhere on networks that have none.
    """
    has_v6 = any(endpoint.address(6) for endpoint in endpoints_of(reader, container_id))
    return [port for port in ports_of(reader, container_id) if has_v6 or port.host_ip != "::"]


def list_ports(reader: Reader) -> list[PublishedPort]:
    query = f"SELECT {_PORT} FROM ports ORDER BY protocol, host_port, host_ip"
    return [PublishedPort(*row) for row in reader.all(query)]


def _whole(shape: t.Any, record: str, what: str) -> t.Any:
    try:
        return shape.from_json(record)
    except (ValueError, TypeError, KeyError) as error:
        raise StateError(f"the record of {what} in state.db is damaged: {error}") from error
