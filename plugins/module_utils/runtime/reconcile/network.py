# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be done so that a network is there, as it is described and with the containers that are to be
on it, or is gone.

A task is the whole description: what it does not name is default, and subnets that it does not name were
chosen once and stay. Who is connected is only looked at where the task says who should be.
"""

from __future__ import annotations

import functools
import typing as t

from ..errors import Conflict, NotFound, doing
from ..network.model import Network
from ..network.options import NetworkOptions
from ..network.records import container_name, endpoints_in, find_network
from ..operations.choose_network import choose_network
from .differences import LIVE, RECREATE, Difference, created, describe_all, removed
from .network_steps import (
    ConnectContainer,
    CreateNetwork,
    DisconnectContainer,
    FinishNetwork,
    RemoveNetwork,
    ReplaceNetwork,
    UpdateNetwork,
)
from .steps import Plan, Step

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine
    from ..network.links import HostView
    from ..network.model import Endpoint


class NetworkRequest(t.NamedTuple):
    """What a task asks for, in normal form. `connected` None: whoever is."""

    name: str
    state: str
    options: NetworkOptions
    connected: tuple[str, ...] | None = None
    appends: bool = False
    force: bool = False


class PlannedNetwork(t.NamedTuple):
    """The network before and afterwards; one that is yet to be made has neither id nor time of creation."""

    plan: Plan
    before: Network | None
    after: Network | None
    warnings: tuple[str, ...] = ()


class _Members(t.NamedTuple):
    """Containers by name: those that come and those that go."""

    new: t.Sequence[str] = ()
    gone: t.Sequence[str] = ()
    differences: t.Sequence[Difference] = ()


def plan_network(engine: Engine, request: NetworkRequest) -> PlannedNetwork:
    """Conflict, with the names, where containers are on a network that is to go."""
    rows = engine.records.read()
    before = find_network(rows, request.name)
    if request.state == "absent":
        return _plan_removal(engine, request, before)
    there = before or Network(request.name, "", request.options.driver, "")
    with doing(f"network {there.name}"):
        after = choose_network(rows, engine.paths, request.options, there, functools.cache(_look))
        members = _plan_members(engine, request, before)
    if before is None:
        return _plan_creation(request, after, members)
    return _plan_transition(engine, request, before, after, members)


def _look() -> HostView:
    from ..network.links import host_view

    return host_view()


def _plan_removal(engine: Engine, request: NetworkRequest, before: Network | None) -> PlannedNetwork:
    if before is None:
        return PlannedNetwork(Plan(), None, None)
    attached = sorted(attached_containers(engine, before))
    if attached and not request.force:
        raise Conflict(
            f"remove network {before.name}: connected to it: {', '.join(attached)}",
            "remove or disconnect the containers first, or set force: true",
            containers=attached,
        )
    steps: list[Step] = [DisconnectContainer(before.name, container) for container in attached]
    step = RemoveNetwork(before.name)
    return PlannedNetwork(Plan([*steps, step], [removed(step.describe())]), before, None)


def _plan_creation(request: NetworkRequest, after: Network, members: _Members) -> PlannedNetwork:
    step = CreateNetwork(request.name, request.options)
    connections = [ConnectContainer(after.name, container) for container in members.new]
    plan = Plan([step, *connections], [created(step.describe()), *members.differences])
    return PlannedNetwork(plan, None, after)


def _plan_transition(
    engine: Engine, request: NetworkRequest, before: Network, after: Network, members: _Members
) -> PlannedNetwork:
    """Whoever goes is not in the way of the change, and whoever comes finds it done."""
    rows = engine.records.read()
    staying = [
        endpoint
        for endpoint in endpoints_in(rows, before.name)
        if container_name(rows, endpoint.container_id) not in members.gone
    ]
    found = _differences(before, after)
    moved = staying
    if found or request.force:
        from ..operations.move_endpoints import move_endpoints

        moved = move_endpoints(rows, after, staying)
    if moved != staying:  # somebody has an address that is nobody's any more, and gets another one
        found = [_replacing(difference) for difference in found]
    steps: list[Step] = [
        *(DisconnectContainer(before.name, container) for container in members.gone),
        *_change(request, before, found),
        *(ConnectContainer(before.name, container) for container in members.new),
    ]
    plan = Plan(steps, [*found, *members.differences])
    return PlannedNetwork(plan, before, after, _lost_addresses(engine, staying, moved))


def _differences(before: Network, after: Network) -> list[Difference]:
    if before._replace(asked=after.asked, unfinished=after.unfinished) == after:
        return []
    from .network_differences import network_differences

    return network_differences(before, after)


def _change(request: NetworkRequest, before: Network, found: t.Sequence[Difference]) -> list[Step]:
    reason = describe_all(found)
    if request.force or any(difference.how == RECREATE for difference in found):
        return [ReplaceNetwork(before.name, request.options, reason or "force is true")]
    steps: list[Step] = [FinishNetwork(before.name)] if before.unfinished else []
    return [*steps, UpdateNetwork(before.name, request.options, reason)] if found else steps


def _replacing(difference: Difference) -> Difference:
    return difference._replace(how=RECREATE) if difference.field == "ipam_config" else difference


def _lost_addresses(
    engine: Engine, staying: t.Sequence[Endpoint], moved: t.Sequence[Endpoint]
) -> tuple[str, ...]:
    """Warnings for containers that have asked for an address which the network has no more."""
    if staying == moved:
        return ()
    from ..operations.move_endpoints import asked_addresses

    rows = engine.records.read()
    lost = []
    for then, now in zip(staying, moved):
        asked = asked_addresses(rows, then)
        for version in (4, 6):
            own = then.address(version)
            if own in asked and own != now.address(version):
                lost.append(
                    f"container {container_name(rows, then.container_id)} has asked for {own}, which network"
                    f" {then.network} has no more: it has {now.address(version) or 'none'} now"
                )
    return tuple(lost)


# Who is connected


def attached_containers(engine: Engine, network: Network) -> set[str]:
    """Names of those that have a place on it, whether they run or not."""
    rows = engine.records.read()
    return {container_name(rows, endpoint.container_id) for endpoint in endpoints_in(rows, network.name)}


def _plan_members(engine: Engine, request: NetworkRequest, before: Network | None) -> _Members:
    there = sorted(attached_containers(engine, before)) if before else []
    if request.connected is None:
        return _Members()
    wanted = list(dict.fromkeys(_connectable(engine, name).name for name in request.connected))
    new = [name for name in wanted if name not in there]
    gone = [] if request.appends else [name for name in there if name not in wanted]
    if not (new or gone):
        return _Members()
    now = sorted({*there, *new}.difference(gone))
    told = [f"{name} is new" for name in new] + [f"{name} is no longer wanted" for name in gone]
    difference = Difference("connected", there, now, f"connected: {', '.join(told)}", LIVE)
    return _Members(new, gone, [difference])


def _connectable(engine: Engine, name: str) -> ContainerRecord:
    from ..container.attachments import check_connectable
    from ..container.records import find_container

    record = find_container(engine.records, name)
    if record is None:
        raise NotFound(f"connected: there is no container {name}", "create it first", container=name)
    check_connectable(record)
    return record
