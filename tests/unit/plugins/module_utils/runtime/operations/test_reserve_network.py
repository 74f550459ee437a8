# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What containers have on networks, as the state file keeps it; and what inspecting them shows of it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.network_values import (
    INTERFACE_NAME,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerRecord,
    delete_container,
    insert_container,
    save_config,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import Status
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    InvalidInput,
    NotFound,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import (
    Endpoint,
    Network,
    Pool,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    endpoints_of,
    insert_network,
    ports_of,
    save_endpoint,
    save_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.inspect_container import (
    inspect_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.occupy_network import (
    occupy_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.reserve_network import (
    change_network,
    reserve_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.take_over_network import (
    give_back_network,
    take_over_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    described,
)

OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64
NETWORKS = (
    Network("web", "1" * 64, "bridge", "", (Pool("10.9.0.0/24", "10.9.0.1"), Pool("fd09::/64", "fd09::1"))),
    Network("db", "2" * 64, "bridge", "", (Pool("10.8.0.0/24", "10.8.0.1"),)),
    Network("flat", "3" * 64, "ipvlan", "", (Pool("10.7.0.0/24", "10.7.0.1"),)),
)
MAC = "02:00:00:00:00:01"


@pytest.fixture
def engine(tmp_path: pathlib.Path) -> t.Iterator[Engine]:
    engine = Engine(Paths(str(tmp_path / "root"), str(tmp_path / "run")))
    with engine.database.transaction() as transaction:
        for network in NETWORKS:
            insert_network(transaction, network)
    yield engine
    engine.close()


def add(
    engine: Engine, container_id: str, old: ContainerRecord | None = None, **options: t.Any
) -> ContainerRecord:
    config = described(options)
    image = ImageConfig(exposed_ports=["9/udp"], cmd=["x"])
    record = ContainerRecord(container_id, f"c-{container_id[0]}", "", "app", image, config, "")
    with engine.database.transaction() as transaction:
        insert_container(transaction, record)
        reserve_network(transaction, record, old)
    return record


def change(engine: Engine, record: ContainerRecord, **options: t.Any) -> None:
    with engine.database.transaction() as transaction:
        change_network(transaction, record, described(options))
        record.config = described(options)
        save_config(transaction, record)


def places(engine: Engine, container_id: str) -> dict[str, Endpoint]:
    return {place.network: place for place in endpoints_of(engine.database.read(), container_id)}


def addresses(engine: Engine, container_id: str) -> dict[str, tuple[str, ...]]:
    return {name: place.addresses for name, place in places(engine, container_id).items()}


def test_places_in_the_order_of_the_task(engine: Engine) -> None:
    add(
        engine,
        OLD,
        networks=[
            {"name": "web", "aliases": ["www"], "links": ["db:database"]},
            {"name": "db", "ipv4_address": "10.8.0.9", "gw_priority": 3, "mac_address": MAC},
        ],
    )
    web, db = endpoints_of(engine.database.read(), OLD)
    assert (web.interface, web.addresses, web.mac) == (
        "eth0",
        ("10.9.0.2/24", "fd09::2/64"),
        "02:42:0a:09:00:02",
    )
    assert (web.aliases, web.links, web.priority) == (("www",), (("db", "database"),), 1)
    assert (db.interface, db.addresses, db.mac, db.priority) == ("eth1", ("10.8.0.9/24",), MAC, 6)
    assert len({web.id, db.id}) == 2


def test_no_network_no_place(engine: Engine) -> None:
    add(engine, OLD, network_mode="host")
    assert places(engine, OLD) == {}


@pytest.mark.parametrize(
    ("options", "problem", "kind"),
    [
        ({"network_mode": "nowhere"}, "there is no network nowhere", NotFound),
        (
            {"networks": [{"name": "db", "ipv4_address": "10.8.0.2"}]},
            "10.8.0.2 on network db belongs to container c-c",
            Conflict,
        ),
        (
            {"networks": [{"name": "db", "mac_address": MAC}]},
            "MAC address 02:00:00:00:00:01 on network db belongs to container c-c",
            Conflict,
        ),
        (
            {"networks": [{"name": "db", "ipv4_address": "10.9.0.2"}]},
            "in no subnet of network db",
            InvalidInput,
        ),
        ({"networks": [{"name": "flat", "mac_address": MAC}]}, "have the MAC of its parent", InvalidInput),
        (
            {"networks": [{"name": name, "driver_opts": {INTERFACE_NAME: "lan0"}} for name in ("web", "db")]},
            "two interfaces of the container are called lan0",
            Conflict,
        ),
        ({"network_mode": "db", "published_ports": ["192.0.2.1:7:7"]}, "c-c", Conflict),
    ],
)
def test_what_is_refused_leaves_nothing(
    engine: Engine, options: dict[str, t.Any], problem: str, kind: type[Exception]
) -> None:
    add(
        engine,
        OTHER,
        networks=[{"name": "db", "ipv4_address": "10.8.0.2", "mac_address": MAC}],
        published_ports=["192.0.2.1:7:7"],
    )
    with pytest.raises(kind, match=problem):
        add(engine, OLD, **options)
    assert places(engine, OLD) == {}
    assert ports_of(engine.database.read(), OLD) == []


def test_interfaces_of_ipvlan_have_no_mac_of_their_own(engine: Engine) -> None:
    add(engine, OLD, networks=[{"name": "flat", "driver_opts": {INTERFACE_NAME: "lan0"}}])
    assert (places(engine, OLD)["flat"].mac, places(engine, OLD)["flat"].interface) == ("", "lan0")


def test_no_mac_is_there_twice(engine: Engine) -> None:
    """The network has moved: who was there keeps the MAC of an address that somebody else has now."""
    record = add(engine, OTHER, network_mode="db")
    with engine.database.transaction() as transaction:
        save_endpoint(transaction, places(engine, OTHER)["db"]._replace(addresses=("10.8.0.9/24",)))
    add(engine, OLD, network_mode="db")
    assert addresses(engine, OLD) == {"db": ("10.8.0.2/24",)}
    assert places(engine, OLD)["db"].mac != places(engine, record.id)["db"].mac


def test_a_change_keeps_what_stays(engine: Engine) -> None:
    record = add(engine, OLD, networks=[{"name": "web", "ipv4_address": "10.9.0.7"}, {"name": "db"}])
    before = places(engine, OLD)
    change(engine, record, networks=[{"name": "web", "aliases": ["www"]}, {"name": "flat"}])
    after = places(engine, OLD)
    assert after["web"] == before["web"]._replace(aliases=("www",))
    assert set(after) == {"web", "flat"}
    assert after["flat"].interface == "eth1"

    change(engine, record, networks=[{"name": "web", "ipv4_address": "10.9.0.8"}, {"name": "db"}])
    web = places(engine, OLD)["web"]
    assert (web.interface, web.addresses) == ("eth0", ("10.9.0.8/24", before["web"].addresses[1]))
    assert web.id != before["web"].id


def test_a_change_of_something_else_leaves_places_alone(engine: Engine) -> None:
    """The network has moved to another subnet, which has no place for what the task still asks for."""
    fixed = {"networks": [{"name": "db", "ipv4_address": "10.8.0.7"}]}
    record = add(engine, OLD, **fixed)
    with engine.database.transaction() as transaction:
        save_network(transaction, NETWORKS[1]._replace(pools=(Pool("10.6.0.0/24", "10.6.0.1"),)))
        save_endpoint(transaction, places(engine, OLD)["db"]._replace(addresses=("10.6.0.7/24",)))
    before = places(engine, OLD)
    change(engine, record, **fixed, labels={"a": "b"})
    assert places(engine, OLD) == before
    with pytest.raises(InvalidInput, match="in no subnet"):
        change(engine, record, networks=[{**fixed["networks"][0], "aliases": ["x"]}])


def test_another_first_network_comes_first(engine: Engine) -> None:
    record = add(engine, OLD, networks=[{"name": "web"}, {"name": "db"}])
    change(engine, record, networks=[{"name": "db"}, {"name": "web"}])
    assert [places(engine, OLD)[name].priority for name in ("web", "db")] == [0, 1]


def test_ports_are_kept_closed_and_opened(engine: Engine) -> None:
    record = add(engine, OLD, network_mode="db", published_ports=["192.0.2.1::80", "192.0.2.1:5000:5000"])
    [free] = [port for port in ports_of(engine.database.read(), OLD) if port.container_port == 80]
    change(engine, record, network_mode="db", published_ports=["192.0.2.1::80", "192.0.2.1:5001:5000"])
    assert free in ports_of(engine.database.read(), OLD)
    assert {port.host_port for port in ports_of(engine.database.read(), OLD)} == {free.host_port, 5001}


# Replacement

FIXED = {
    "networks": [
        {"name": "web", "ipv4_address": "10.9.0.7", "mac_address": MAC},
        {"name": "db", "ipv4_address": "10.8.0.7"},
    ],
    "published_ports": ["192.0.2.1:80:80", "192.0.2.1::81"],
}


def test_what_the_old_one_has_is_taken_over_and_given_back(engine: Engine) -> None:
    old = add(engine, OLD, **FIXED)
    before, ports = places(engine, OLD), ports_of(engine.database.read(), OLD)
    new = add(engine, NEW, old, **FIXED)
    assert places(engine, OLD) == before
    assert addresses(engine, NEW) == {"web": ("fd09::3/64",), "db": ()}
    assert ports_of(engine.database.read(), NEW) == []

    with engine.database.transaction() as transaction:
        take_over_network(transaction, old, new)
    assert addresses(engine, NEW) == {"web": ("10.9.0.7/24", "fd09::3/64"), "db": ("10.8.0.7/24",)}
    assert places(engine, NEW)["web"].mac == MAC != places(engine, OLD)["web"].mac
    assert addresses(engine, OLD) == {"web": ("fd09::2/64",), "db": ()}
    assert [port._replace(container_id=OLD) for port in ports_of(engine.database.read(), NEW)] == ports

    for _again in range(2):
        with engine.database.transaction() as transaction:
            give_back_network(transaction, old, new)
        assert places(engine, OLD) == before
        assert ports_of(engine.database.read(), OLD) == ports
        assert addresses(engine, NEW) == {"web": ("fd09::3/64",), "db": ()}


def test_what_was_lent_comes_back_when_the_new_one_is_gone(engine: Engine) -> None:
    old = add(engine, OLD, **FIXED)
    before = places(engine, OLD)
    new = add(engine, NEW, old, **FIXED)
    with engine.database.transaction() as transaction:
        take_over_network(transaction, old, new)
        delete_container(transaction, NEW)
    with engine.database.transaction() as transaction:
        give_back_network(transaction, old, None)
    assert places(engine, OLD) == before
    assert {port.container_port for port in ports_of(engine.database.read(), OLD)} == {80, 81}


def test_what_a_third_one_has_is_refused_to_a_replacement(engine: Engine) -> None:
    old = add(engine, OLD, network_mode="web")
    add(engine, OTHER, networks=[{"name": "web", "ipv4_address": "10.9.0.7"}])
    with pytest.raises(Conflict, match=r"10\.9\.0\.7.*c-c"):
        add(engine, NEW, old, **FIXED)


def test_connections_by_others_are_handed_on(engine: Engine) -> None:
    old = add(engine, OLD, network_mode="web")
    with engine.database.transaction() as transaction:
        occupy_network(transaction, old, {"name": "db"})
    add(engine, NEW, old, network_mode="web")
    assert list(places(engine, NEW)) == ["web", "db"]


# Inspection


def shown(engine: Engine, record: ContainerRecord, status: str = "running") -> dict[str, t.Any]:
    return inspect_container(engine, record, Status(status))["NetworkSettings"]


def test_places_and_ports_are_shown_as_docker_does(engine: Engine) -> None:
    record = add(
        engine,
        OLD,
        networks=[{"name": "web", "ipv4_address": "10.9.0.7", "aliases": ["www"]}, {"name": "db"}],
        published_ports=["192.0.2.1:8080:80"],
        exposed_ports=["90"],
    )
    facts = shown(engine, record)
    assert facts["Ports"] == {
        "80/tcp": [{"HostIp": "192.0.2.1", "HostPort": "8080"}],
        "9/udp": None,
        "90/tcp": None,
    }
    web = facts["Networks"]["web"]
    assert (web["IPAddress"], web["IPPrefixLen"], web["Gateway"]) == ("10.9.0.7", 24, "10.9.0.1")
    assert (web["GlobalIPv6Address"], web["IPv6Gateway"]) == ("fd09::2", "fd09::1")
    assert (web["IPAMConfig"], web["Aliases"]) == ({"IPv4Address": "10.9.0.7"}, ["www"])
    assert web["DNSNames"] == ["c-a", "www", OLD[:12]]
    assert list(facts["Networks"]) == ["web", "db"]
    assert (facts["IPAddress"], facts["MacAddress"]) == ("10.9.0.7", web["MacAddress"])
    assert shown(engine, record, "exited")["Ports"]["80/tcp"] is None
    assert shown(engine, record, "exited")["Networks"] == facts["Networks"]


def test_a_container_that_is_yet_to_be(engine: Engine) -> None:
    config = described(
        {
            "networks": [{"name": "web", "ipv4_address": "10.9.0.7"}, {"name": "soon"}],
            "published_ports": ["80"],
        }
    )
    facts = shown(engine, ContainerRecord("", "shop", "", "app", ImageConfig(), config, ""))
    assert facts["Networks"]["web"]["IPAddress"] == "10.9.0.7"
    assert facts["Networks"]["web"]["MacAddress"] == ""
    assert facts["Networks"]["soon"]["NetworkID"] == ""
    assert facts["Ports"] == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": ""}, {"HostIp": "::", "HostPort": ""}]
    }


def test_a_container_that_is_going_to_change(engine: Engine) -> None:
    record = add(engine, OLD, networks=[{"name": "web"}])
    with engine.database.transaction() as transaction:
        occupy_network(transaction, record, {"name": "flat"})
    before = shown(engine, record)["Networks"]
    record.config = described({"networks": [{"name": "web"}, {"name": "db"}]})
    after = shown(engine, record)["Networks"]
    assert after["web"] == before["web"]
    assert after["flat"] == before["flat"]
    assert after["db"]["IPAddress"] == ""


@pytest.mark.parametrize(
    ("mode", "networks"), [("host", ["host"]), ("none", ["none"]), ("container:web", []), ("ns:/x", [])]
)
def test_modes_without_places(engine: Engine, mode: str, networks: list[str]) -> None:
    record = ContainerRecord(OLD, "shop", "", "app", ImageConfig(), ContainerConfig(network_mode=mode), "")
    facts = shown(engine, record)
    assert (list(facts["Networks"]), facts["IPAddress"], facts["SandboxKey"]) == (networks, "", "")
