# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be done so that many containers, with their networks, volumes and images, are as they are
declared. Everything is planned before anything is done.

    networks ─▶ volumes ─▶ images, each once ─▶ containers, those that others depend on first
    ─▶ what the project owns and no longer declares

What one part of the plan is going to make, the others count on (project_sight.py). The plan is carried out by
project_run.py.
"""

from __future__ import annotations

import typing as t

from ..container.config import ContainerConfig
from ..container.labels import PROJECT
from ..container.records import is_version, list_containers
from ..container.sharing import in_order_of_start, needed_containers
from ..errors import InvalidInput, collecting, doing, raise_all
from ..network.records import list_networks
from .container import Planned
from .container_request import Request
from .container_sight import Outlook
from .container_steps import AwaitContainer, StartContainer
from .differences import removed
from .network import NetworkRequest, PlannedNetwork, attached_containers, plan_network
from .network_steps import RemoveNetwork
from .project_sight import ProjectSight
from .steps import Plan
from .volume import PlannedVolume, VolumeRequest, plan_volume

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine
    from ..oci.reference import Reference
    from .image_steps import PullImage

STARTED, HEALTHY, COMPLETED = "started", "healthy", "completed"
"""What `depends_on` can wait for: that the other runs, that its health check says so, that it has ended
well.
"""


class Item(t.NamedTuple):
    """One declared container. `depends_on`: conditions by name."""

    asked: ContainerConfig
    request: Request
    depends_on: t.Mapping[str, str]

    @property
    def name(self) -> str:
        return self.request.name


class Project(t.NamedTuple):
    """What a task declares. `name` is empty where it owns nothing; `images` are (reference, platform)."""

    name: str
    state: str
    items: t.Sequence[Item]
    networks: t.Sequence[NetworkRequest] = ()
    volumes: t.Sequence[VolumeRequest] = ()
    images: t.Sequence[tuple[Reference, str | None]] = ()
    purge: bool = False
    pull: str = "missing"
    registry: t.Any = None
    wait_timeout: float = 300.0


class ProjectPlan(t.NamedTuple):
    """In the order in which it is done, but for containers: those wait for what they depend on (`needs`, with
    conditions) and otherwise for nobody. `needs_images`: pulls by container.
    """

    networks: t.Sequence[PlannedNetwork] = ()
    volumes: t.Sequence[PlannedVolume] = ()
    pulls: t.Sequence[PullImage] = ()
    containers: t.Mapping[str, Planned] = {}
    needs: t.Mapping[str, t.Mapping[str, str]] = {}
    needs_images: t.Mapping[str, t.Collection[PullImage]] = {}
    purged: t.Mapping[str, Planned] = {}
    purged_networks: t.Sequence[PlannedNetwork] = ()
    more_warnings: t.Sequence[str] = ()

    @property
    def heirs(self) -> dict[str, list[str]]:
        """Who is purged and has ports of the host that declared containers are going to have; and which."""
        wanted = {
            name: _ports_of(planned.after.record)
            for name, planned in self.containers.items()
            if planned.after is not None
        }
        held = {
            name: _ports_of(planned.before.record)
            for name, planned in self.purged.items()
            if planned.before is not None
        }
        found = {
            name: [heir for heir, others in wanted.items() if ports & others] for name, ports in held.items()
        }
        return {name: heirs for name, heirs in found.items() if heirs}

    @property
    def changed(self) -> bool:
        return bool(self.actions)

    @property
    def has_steps(self) -> bool:
        """Is there something to do, be it only to wait?"""
        return self.changed or any(planned.plan.steps for planned in self.containers.values())

    @property
    def actions(self) -> list[str]:
        """Sentences in the order of the declaration."""
        containers = (*self.containers.values(), *self.purged.values())
        return [
            *self.beginnings,
            *(step.describe() for step in self.pulls),
            *(action for planned in containers for action in planned.plan.actions),
            *(action for planned in self.purged_networks for action in planned.plan.actions),
        ]

    @property
    def beginnings(self) -> list[str]:
        """What is done before all images and containers, or nothing else is."""
        plans = [*(planned.plan for planned in self.networks), *(planned.plan for planned in self.volumes)]
        return [action for plan in plans for action in plan.actions]

    @property
    def warnings(self) -> list[str]:
        given = [
            *(planned.warnings for planned in self.networks),
            *(planned.warnings for planned in self.volumes),
            *(planned.warnings for planned in (*self.containers.values(), *self.purged.values())),
            self.more_warnings,
        ]
        return [sentence for sentences in given for sentence in sentences]


def plan_project(engine: Engine, project: Project, *, check_mode: bool = False) -> ProjectPlan:
    """Changes nothing. Raises InvalidInput with everything that is wrong in any of the declarations."""
    needs = dependencies(project.items)
    ordered = in_order(needs)
    absent = project.state == "absent"
    problems: list[BaseException] = []
    networks, volumes = ([], []) if absent else _plan_parts(engine, project, problems)
    sight = ProjectSight(
        engine,
        rehearses=check_mode,
        networks=[request.name for request in project.networks],
        containers=[item.name for item in project.items],
    )
    if not absent:
        for reference, platform in project.images:
            with collecting(problems):
                sight.image_called(str(reference), platform, project.pull, project.registry)
    items = {item.name: item for item in project.items}
    jobs = {name for needed in needs.values() for name, condition in needed.items() if condition == COMPLETED}
    planned = _plan_items(sight, [items[name] for name in ordered], jobs, project.wait_timeout, problems)
    raise_all(problems)
    purged = _plan_purge(sight, project) if project.purge or absent else {}
    going = {*purged, *(items if absent else ())}
    purged_networks, warnings = (
        _plan_network_purge(engine, project, going) if project.purge or absent else ([], [])
    )
    return ProjectPlan(
        networks=networks,
        volumes=volumes,
        pulls=list(sight.pulls.values()),
        containers={name: planned[name] for name in items},
        needs=_reversed(needs) if absent else needs,
        needs_images=sight.pulls_by_container,
        purged=purged,
        purged_networks=purged_networks,
        more_warnings=warnings,
    )


# The order


def dependencies(items: t.Sequence[Item]) -> dict[str, dict[str, str]]:
    """What each container has to wait for: what it says, and what it shares with others. InvalidInput for
    names that are not declared, or are declared twice.
    """
    declared = [item.name for item in items]
    problems: list[BaseException] = []
    twice = sorted({name for name in declared if declared.count(name) > 1})
    if twice:
        told = f"containers: {', '.join(twice)} is declared twice"
        problems.append(InvalidInput(told, "give each a name of its own"))
    needs: dict[str, dict[str, str]] = {}
    for item in items:
        shared = needed_containers(item.asked)
        shared += [source["container"] for source in item.asked.volumes_from or ()]
        links = [network.get("links", ()) for network in item.asked.networks or ()]
        linked = [name for each in (item.asked.links or (), *links) for name, _alias in each]
        shared += [name for name in linked if name != item.name]
        strangers = sorted(set(item.depends_on).difference(declared))
        if strangers:
            told = f"containers: {item.name} depends on {', '.join(strangers)}, which is not declared here"
            problems.append(InvalidInput(told, "declare it in the same task, or take it out of depends_on"))
        needs[item.name] = {
            **{name: STARTED for name in shared if name in declared},
            **item.depends_on,
        }
    raise_all(problems)
    return needs


def in_order(needs: t.Mapping[str, t.Collection[str]]) -> list[str]:
    """Each after those that it needs, else as declared. InvalidInput names a circle."""
    ordered: dict[str, None] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " -> ".join([*above[above.index(name) :], name])
            raise InvalidInput(f"containers: {circle} depend on each other", "break the circle")
        if name not in ordered:
            for needed in needs[name]:
                add(needed, (*above, name))
            ordered[name] = None

    for name in needs:
        add(name, ())
    return list(ordered)


def _reversed(needs: t.Mapping[str, t.Collection[str]]) -> dict[str, dict[str, str]]:
    """For going down: each waits for those that need it."""
    return {name: {other: "" for other, needed in needs.items() if name in needed} for name in needs}


# The parts


def _plan_parts(
    engine: Engine, project: Project, problems: list[BaseException]
) -> tuple[list[PlannedNetwork], list[PlannedVolume]]:
    networks, volumes = [], []
    for network in project.networks:
        with collecting(problems):
            networks.append(plan_network(engine, network))
    for volume in project.volumes:
        with collecting(problems):
            volumes.append(plan_volume(engine, volume))
    return networks, volumes


def _plan_items(
    sight: ProjectSight,
    ordered: t.Sequence[Item],
    jobs: t.Collection[str],
    wait_timeout: float,
    problems: list[BaseException],
) -> dict[str, Planned]:
    """All of them; what is wrong is added to `problems`. `jobs` are those whose end others wait for."""
    planned: dict[str, Planned] = {}
    for item in ordered:
        with collecting(problems), doing(f"containers: {item.name}"):
            planned[item.name] = sight.plan(item.asked, item.request)
            if item.name in jobs and item.request.state == "started":
                planned[item.name] = _plan_job(sight, item, planned[item.name], wait_timeout)
    return planned


def _plan_job(sight: ProjectSight, item: Item, planned: Planned, wait_timeout: float) -> Planned:
    """What has been done once, and has not changed, is done. What is done now has to end well."""
    steps = planned.plan.steps
    before = planned.before
    if [type(step) for step in steps] == [StartContainer] and before is not None and _is_done(before):
        return sight.plan(item.asked, item.request._replace(state="present"))
    if not steps:
        return planned
    plan = Plan([*steps, AwaitContainer(item.name, "exited", wait_timeout)], planned.plan.differences)
    return planned._replace(plan=plan)


def _is_done(outlook: Outlook) -> bool:
    return outlook.status.status == "exited" and outlook.status.exit_code == 0 and not outlook.status.error


def _plan_purge(sight: ProjectSight, project: Project) -> dict[str, Planned]:
    """Containers of the project that it does not declare any more, those that were made last first, and each
    before those whose namespaces it shares: it would end with them.
    """
    declared = {item.name for item in project.items}
    owned = [record for record in list_containers(sight.engine.records) if _owner(record) == project.name]
    current = [record for record in owned if not record.state.kept_since]
    owned = [record for record in owned if record in current or not _has_successor(record, current)]
    return {
        record.name: sight.plan(ContainerConfig(), Request(record.name, state="absent"))
        for record in reversed(in_order_of_start(owned))
        if project.name and record.name not in declared
    }


def _has_successor(version: ContainerRecord, current: t.Iterable[ContainerRecord]) -> bool:
    """A version that is kept goes with the container that has its place, or stays with it."""
    return any(is_version(version, record) for record in current)


def _ports_of(record: ContainerRecord) -> set[tuple[str, int]]:
    """Protocols and numbers of the ports of the host that are asked for by number."""
    return {
        (port["protocol"], number)
        for port in record.config.published_ports or ()
        for number in range(port["host_port"], port["host_port_end"] + 1)
        if number
    }


def _owner(record: ContainerRecord) -> str:
    return (record.config.labels or {}).get(PROJECT, "")


def _plan_network_purge(
    engine: Engine, project: Project, going: t.Collection[str]
) -> tuple[list[PlannedNetwork], list[str]]:
    """Networks of the project that it does not declare, or all of them if it is to go; and warnings of those
    that stay because other containers than those in `going` are on them.
    """
    declared = {request.name for request in project.networks}
    rows = engine.records.read()
    plans, warnings = [], []
    for network in list_networks(rows):
        owned = bool(project.name) and network.labels.get(PROJECT) == project.name
        is_declared = network.name in declared
        if not (owned or is_declared) or (is_declared and project.state != "absent"):
            continue
        others = attached_containers(engine, network).difference(going)
        if others:
            warnings.append(f"network {network.name} stays: connected to it: {', '.join(sorted(others))}")
            continue
        step = RemoveNetwork(network.name)
        plans.append(PlannedNetwork(Plan([step], [removed(step.describe())]), network, None))
    return plans, warnings
