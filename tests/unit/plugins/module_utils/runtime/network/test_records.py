# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import contextlib
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict, StateError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.files import make_private_directory
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import records
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    Endpoint,
    Network,
    Pool,
    PublishedPort,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.state.database import (
    Database,
    Transaction,
)

BACKEND = Network("backend", "1" * 64, "bridge", "2026", (Pool("192.0.2.0/24", "192.0.2.1"),))
WEB, DB = "a" * 64, "b" * 64


@pytest.fixture
def database(tmp_path: pathlib.Path) -> t.Iterator[Database]:
    paths = Paths(str(tmp_path / "root"), str(tmp_path / "run"))
    make_private_directory(paths.root)
    with contextlib.closing(Database.open(paths)) as database:
        with database.transaction() as transaction:
            for container_id, name in ((WEB, "web"), (DB, "db")):
                transaction.execute(
                    "INSERT INTO containers VALUES (?, ?, NULL, '{}', '{}', '')", (container_id, name)
                )
            records.insert_network(transaction, BACKEND)
        yield database


def endpoint(
    container_id: str, *addresses: str, interface: str = "eth0", network: str = "backend"
) -> Endpoint:
    return Endpoint(container_id, network, container_id, interface, addresses, "02:00:00:00:00:01")


def save(database: Database, *endpoints: Endpoint) -> None:
    with database.transaction() as transaction:
        for one in endpoints:
            records.save_endpoint(transaction, one)


# Networks


def test_a_network_is_found_by_name_and_by_id_and_never_by_a_part(database: Database) -> None:
    for name in ("backend", "1" * 64):
        assert records.find_network(database.read(), name) == BACKEND
    for name in ("back", "1" * 63, "", "BACKEND"):
        assert records.find_network(database.read(), name) is None


def test_a_name_goes_before_an_id(database: Database) -> None:
    namesake = BACKEND._replace(name="1" * 64, id="2" * 64)
    with database.transaction() as transaction:
        records.insert_network(transaction, namesake)
    assert records.find_network(database.read(), "1" * 64) == namesake


@pytest.mark.parametrize("twin", [BACKEND._replace(id="2" * 64), BACKEND._replace(name="other")])
def test_names_and_ids_are_unique(database: Database, twin: Network) -> None:
    with pytest.raises(Conflict), database.transaction() as transaction:
        records.insert_network(transaction, twin)


def test_networks_change_and_go(database: Database) -> None:
    with database.transaction() as transaction:
        records.insert_network(transaction, BACKEND._replace(name="a", id="2" * 64))
        records.save_network(transaction, BACKEND._replace(labels={"a": "b"}))
    assert [network.name for network in records.list_networks(database.read())] == ["a", "backend"]
    found = records.find_network(database.read(), "backend")
    assert found is not None
    assert found.labels == {"a": "b"}
    with database.transaction() as transaction:
        records.delete_network(transaction, "backend")
    assert records.find_network(database.read(), "backend") is None


def test_a_network_that_somebody_is_on_cannot_go(database: Database) -> None:
    save(database, endpoint(WEB))
    with pytest.raises(Conflict), database.transaction() as transaction:
        records.delete_network(transaction, "backend")


def test_a_damaged_record_says_which(database: Database) -> None:
    with database.transaction() as transaction:
        transaction.execute("UPDATE networks SET record = '{}'")
    with pytest.raises(StateError, match=r"the record of network backend in state\.db is damaged"):
        records.list_networks(database.read())


# Endpoints


def test_an_address_is_given_once(database: Database) -> None:
    save(database, endpoint(WEB, "192.0.2.2/24", "fd00::2/64"))
    with pytest.raises(Conflict):
        save(database, endpoint(DB, "192.0.2.3/24", "fd00::2/64"))
    assert records.addresses_in(database.read(), "backend") == {"192.0.2.2": WEB, "fd00::2": WEB}
    assert records.endpoints_in(database.read(), "backend") == [endpoint(WEB, "192.0.2.2/24", "fd00::2/64")]


def test_the_same_address_on_another_network_is_another_one(database: Database) -> None:
    with database.transaction() as transaction:
        records.insert_network(transaction, BACKEND._replace(name="other", id="2" * 64))
    save(database, endpoint(WEB, "192.0.2.2/24"), endpoint(DB, "192.0.2.2/24", network="other"))
    assert records.addresses_in(database.read(), "other") == {"192.0.2.2": DB}
    assert [one.container_id for one in records.list_endpoints(database.read())] == [WEB, DB]


def test_an_endpoint_changes_in_place(database: Database) -> None:
    save(database, endpoint(WEB, "192.0.2.2/24"))
    save(database, endpoint(WEB, "192.0.2.9/24"))
    assert records.addresses_in(database.read(), "backend") == {"192.0.2.9": WEB}
    with database.transaction() as transaction:
        records.delete_endpoint(transaction, WEB, "backend")
    assert records.addresses_in(database.read(), "backend") == {}
    assert records.endpoints_of(database.read(), WEB) == []


def test_endpoints_come_in_the_order_of_interfaces(database: Database) -> None:
    with database.transaction() as transaction:
        for number in (10, 2, 0):
            network = BACKEND._replace(name=f"n{number}", id=f"{number}" * 64)
            records.insert_network(transaction, network)
            records.save_endpoint(transaction, endpoint(WEB, interface=f"eth{number}", network=network.name))
    assert [one.interface for one in records.endpoints_of(database.read(), WEB)] == ["eth0", "eth2", "eth10"]


def test_everything_goes_with_the_container(database: Database) -> None:
    save(database, endpoint(WEB, "192.0.2.2/24"))
    with database.transaction() as transaction:
        records.insert_port(transaction, PublishedPort(WEB, "0.0.0.0", "tcp", 80, 8080))
        transaction.execute("DELETE FROM containers WHERE id = ?", (WEB,))
    rows = database.read()
    assert records.list_endpoints(rows) == records.list_ports(rows) == []
    assert records.addresses_in(rows, "backend") == {}


def test_names_of_containers(database: Database) -> None:
    with database.transaction() as transaction:
        transaction.execute("UPDATE containers SET name = '.web.1f.0a1b2c' WHERE id = ?", (DB,))
    assert records.container_name(database.read(), WEB) == "web"
    assert records.container_name(database.read(), DB) == "web.1f"
    assert records.container_name(database.read(), "f" * 64) == "f" * 12


# Published ports


def test_a_port_is_published_once(database: Database) -> None:
    def publish(transaction: Transaction, *ports: PublishedPort) -> None:
        for port in ports:
            records.insert_port(transaction, port)

    web = PublishedPort(WEB, "0.0.0.0", "tcp", 80, 8080)
    with database.transaction() as transaction:
        publish(transaction, web, web._replace(protocol="udp"), web._replace(host_ip="127.0.0.1"))
    with pytest.raises(Conflict), database.transaction() as transaction:
        publish(transaction, web._replace(container_id=DB, container_port=9090))
    assert len(records.ports_of(database.read(), WEB)) == len(records.list_ports(database.read())) == 3
    with database.transaction() as transaction:
        records.delete_ports(transaction, WEB)
    assert records.list_ports(database.read()) == []
