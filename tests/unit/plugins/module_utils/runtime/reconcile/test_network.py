# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Plans as data: `cases/network/*.yml` hold a task, what it finds, and the steps that follow.

case         what it is about
there        the options that the network was made with (absent: there is none)
others       other networks with their options, by name
containers   those that exist, by name: `mode`, and `address` if they are on the network (automatic: any)
unfinished   a task that changed the network was killed
host         subnets that routes and addresses of the host have
task         the task's options, over the defaults of the module
steps        what the plan says; `differences` (field: how), `warning` and `pools` (the texts of the network
             as it would be) where of interest
error        instead of steps: a part of the message
"""

from __future__ import annotations

import ipaddress
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.coracle.engine.plugins.module_utils.module.network_options import (
    NETWORK,
    read_network_request,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerRecord,
    insert_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network import links
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.addresses import reserve
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.model import Endpoint
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import (
    find_network,
    save_endpoint,
    save_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import (
    choose_network as choosing,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.network import (
    NetworkRequest,
    PlannedNetwork,
    plan_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.network_differences import (
    pool_text,
)

CASES = pathlib.Path(__file__).parent / "cases" / "network"


def _begins(case: dict[str, t.Any], text: str) -> bool:
    return bool(case.get("steps")) and case["steps"][0].startswith(text)


@pytest.fixture
def engine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Engine]:
    """Its automatic subnets begin where those of the default engine do."""
    monkeypatch.setattr(choosing, "_start", lambda _paths: 0)
    see(monkeypatch)
    with Engine(Paths(str(tmp_path / "root"), str(tmp_path / "run"))) as engine:
        yield engine


def see(monkeypatch: pytest.MonkeyPatch, *subnets: str) -> None:
    view = links.HostView(tuple(ipaddress.ip_network(subnet) for subnet in subnets), ("lo", "eth0"))
    monkeypatch.setattr(links, "host_view", lambda: view)


def request(name: str = "backend", **options: t.Any) -> NetworkRequest:
    defaults = {name: option.get("default") for name, option in NETWORK.options.items()}
    assert set(options) <= set(defaults), "the case has an option that does not exist"
    return read_network_request({**defaults, "name": name, **options})


def set_up(engine: Engine, case: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, options in {**case.get("others", {}), "backend": case.get("there")}.items():
        if options is not None:
            create_network(engine, name, request(name, **options).options)
    for number, (name, container) in enumerate(case.get("containers", {}).items()):
        _add_container(engine, number, name, container)
    if case.get("unfinished"):
        with engine.database.transaction() as transaction:
            network = find_network(transaction, "backend")
            assert network is not None
            save_network(transaction, network._replace(unfinished=True))
    see(monkeypatch, *case.get("host", ()))


def _add_container(engine: Engine, number: int, name: str, container: dict[str, t.Any]) -> None:
    fixed = container.get("address", "automatic")
    item = {"name": "backend", **({} if fixed == "automatic" else {"ipv4_address": fixed})}
    config = ContainerConfig(network_mode=container.get("mode", "backend"), networks=[item])
    record = ContainerRecord(f"{number:064x}", name, "", "", ImageConfig(), config, "")
    with engine.database.transaction() as transaction:
        insert_container(transaction, record)
        if "address" in container:
            network = find_network(transaction, "backend")
            assert network is not None
            addresses = reserve(transaction, network, record.id, item.get("ipv4_address", ""))
            endpoint = Endpoint(record.id, "backend", record.id, "eth0", addresses, "02:00:00:00:00:01")
            save_endpoint(transaction, endpoint)


def planned(engine: Engine, case: dict[str, t.Any]) -> PlannedNetwork:
    return plan_network(engine, request(**case["task"]))


def cases() -> list[t.Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['case']}")
        for path in sorted(CASES.glob("*.yml"))
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("case", cases())
def test_plan(engine: Engine, case: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(engine, case, monkeypatch)
    if "error" in case:
        with pytest.raises(CoracleError) as raised:
            planned(engine, case)
        assert case["error"] in str(raised.value)
        return
    result = planned(engine, case)
    assert result.plan.actions == case["steps"]
    assert result.plan.changed == bool(case["steps"])
    assert list(result.warnings) == ([case["warning"]] if "warning" in case else [])
    if "differences" in case:
        found = {difference.field: difference.how for difference in result.plan.differences}
        assert found == case["differences"]
    if "pools" in case:
        assert result.after is not None
        assert [pool_text(pool) for pool in result.after.pools] == case["pools"]


@pytest.mark.parametrize("case", [case for case in cases() if _begins(case.values[0], "create network")])
def test_a_plan_that_was_carried_out_has_nothing_left_to_do(
    engine: Engine, case: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(engine, case, monkeypatch)
    result = planned(engine, case)
    assert result.after is not None
    result.plan.steps[0].execute(engine)
    again = planned(engine, {"task": {**case["task"], "connected": None}})
    assert again.plan.actions == []
    assert again.before is not None
    assert again.before.pools == result.after.pools, "what is chosen is what was planned"


def test_planning_makes_nothing(engine: Engine) -> None:
    planned(engine, {"task": {}})
    assert not engine.exists
