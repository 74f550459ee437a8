# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What nobody needs, and the steps that remove it. Planning looks only, so check mode tells what would go and
how many bytes that gives back.

    containers    that do not run, are not being replaced, and of whom no other one shares anything
    networks      that no container is on, but never the default network
    volumes       anonymous ones that no container uses; `all`: those with a name, too
    images        without a name that no container uses; `dangling: false`: those with a name, too; then
                  layers, blobs and downloads of no image
    logs          segments that were put aside, of containers that do not run (operations/prune_logs.py)
    build cache   there is none

Later kinds are planned as if the containers of the plan were gone already. What a project declares is left
alone, and so is what `keep` and `keep_last` name.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..container.labels import PROJECT
from ..container.records import ContainerRecord, list_containers
from ..container.sharing import in_order_of_start
from ..container.status import observe
from ..content.images import ImageName, ImageRecord, list_images, names_of, users_of
from ..errors import CleanupFailed, Conflict, InvalidInput, NotFound, collecting
from ..linux.cgroups import layout_for_looking
from ..linux.tree_size import tree_size
from ..network.model import DEFAULT_NETWORK
from ..network.records import endpoints_in, list_networks
from ..oci.reference import familiar_name
from ..operations.collect_garbage import measure_garbage
from ..operations.prune_container import AT_REST, container_bytes, depends_on, why_needed
from ..operations.prune_logs import measure_logs
from ..volume.records import list_volumes, user_ids, volumes_of
from .prune_filters import Filters, matches
from .prune_steps import (
    KINDS,
    CollectGarbage,
    PruneContainer,
    PruneImage,
    PruneLogs,
    PruneNetwork,
    PruneStep,
    PruneVolume,
)
from .steps import Plan

if t.TYPE_CHECKING:
    from ..engine import Engine


class PruneRequest(t.NamedTuple):
    """Each kind that is to be pruned has its filters. `keep`: shell patterns of names.

    `keep_last`: so many of the newest images stay in each repository, 0 for no such rule; with it, images
    with a name go as well. `truncate_logs`: nothing stays but what running containers are writing.
    """

    containers: Filters | None = None
    images: Filters | None = None
    networks: Filters | None = None
    volumes: Filters | None = None
    logs: Filters | None = None
    truncate_logs: bool = False
    keep: tuple[str, ...] = ()
    keep_last: int = 0
    projects: bool = False


class Pruned(t.NamedTuple):
    """`steps` that were taken, or would be. By kind: the `entries` of the result, and the bytes."""

    steps: tuple[PruneStep, ...]
    entries: dict[str, list[t.Any]]
    reclaimed: dict[str, int]
    warnings: tuple[str, ...]

    @property
    def plan(self) -> Plan:
        return Plan(self.steps, [step.difference for step in self.steps])


class PlannedPrune(t.NamedTuple):
    steps: tuple[PruneStep, ...]
    warnings: tuple[str, ...] = ()

    def predict(self) -> Pruned:
        return _tally([(step, step.bytes) for step in self.steps], self.warnings)

    def execute(self, engine: Engine) -> Pruned:
        """Take all steps that can still be taken. CleanupFailed, in the end, with what went wrong."""
        done: list[tuple[PruneStep, int]] = []
        warnings = list(self.warnings)
        errors: list[BaseException] = []
        for step in self.steps:
            with collecting(errors):
                try:
                    freed = step.give_back(engine)
                    if freed or step.removes:
                        done.append((dataclasses.replace(step, bytes=freed), freed))
                except Conflict as error:
                    warnings.append(f"{error}: it stays")
                except NotFound:
                    pass
            warnings += engine.take_warnings()
        if errors:
            raise CleanupFailed("prune", errors)
        return _tally(done, warnings)


def _tally(done: t.Sequence[tuple[PruneStep, int]], warnings: t.Iterable[str]) -> Pruned:
    entries: dict[str, list[t.Any]] = {kind: [] for kind in KINDS}
    reclaimed = dict.fromkeys(KINDS, 0)
    for step, freed in done:
        entries[step.kind] += step.entries
        reclaimed[step.kind] += freed
    return Pruned(tuple(step for step, _freed in done), entries, reclaimed, tuple(warnings))


def plan_prune(engine: Engine, request: PruneRequest) -> PlannedPrune:
    """Raises StateError where the record of an image cannot be read: what it needs is unknown."""
    if request.keep_last < 0:
        raise InvalidInput("keep_last is less than 0", "give the number of images that stay per repository")
    if not engine.exists:
        return PlannedPrune(())
    with engine.records.snapshot():
        return _Sketch(engine, request).finished()


class _Sketch:
    """`gone`: ids of the containers that the plan removes; `lost`: anonymous volumes that go with them."""

    def __init__(self, engine: Engine, request: PruneRequest) -> None:
        self.engine = engine
        self.rows = engine.records.read()
        self.request = request
        self.steps: list[PruneStep] = []
        self.warnings: list[str] = []
        self.gone: set[str] = set()
        self.lost: set[str] = set()
        damaged: list[BaseException] = []
        self.all_containers = list_containers(engine.records, hidden=True, damaged=damaged)
        self.unreadable = [str(error) for error in damaged]
        at = layout_for_looking() if self.all_containers else None
        self.statuses = {record.id: observe(engine, record, at).status for record in self.all_containers}

    def finished(self) -> PlannedPrune:
        request = self.request
        if request.containers is not None:
            self._containers(request.containers)
        if request.logs is not None:
            self._logs(request.logs)
        if request.networks is not None:
            self._networks(request.networks)
        if request.volumes is not None:
            self._volumes(request.volumes)
        if request.images is not None:
            self._images(request.images)
        return PlannedPrune(tuple(self.steps), tuple(self.warnings))

    def _may_go(
        self, names: t.Sequence[str], filters: Filters, labels: t.Mapping[str, str], created: str
    ) -> bool:
        return filters.admit(labels, created) and not matches(self.request.keep, names)

    def _is_declared(self, labels: t.Mapping[str, str]) -> bool:
        return PROJECT in labels and not self.request.projects

    # Containers

    def _containers(self, filters: Filters) -> None:
        self.warnings += self.unreadable
        going = [record for record in self.all_containers if self._container_may_go(record, filters)]
        dependants = self._dependants()
        while True:
            self.gone = {record.id for record in going}
            free = [record for record in going if not self._why_needed(record, dependants)]
            if len(free) == len(going):
                break
            going = free
        for record in reversed(in_order_of_start(going[::-1])):
            volumes = self._volumes_lost_with(record)
            sizes = [tree_size(self._volume_directory(name)) for name in volumes]
            freed = container_bytes(self.engine, record.id) + sum(sizes)
            self.steps.append(PruneContainer(freed, record, self.statuses[record.id]))

    def _dependants(self) -> dict[str, list[ContainerRecord]]:
        """Who depends on a container, by its name or id."""
        found: dict[str, list[ContainerRecord]] = {}
        for record in self.all_containers:
            for needed in depends_on(record):
                found.setdefault(needed, []).append(record)
        return found

    def _why_needed(self, record: ContainerRecord, dependants: t.Mapping[str, list[ContainerRecord]]) -> str:
        others = [*dependants.get(record.name, ()), *dependants.get(record.id, ())]
        staying = [other for other in others if other.id not in self.gone and other.id != record.id]
        return why_needed(record, self.statuses[record.id], staying)

    def _container_may_go(self, record: ContainerRecord, filters: Filters) -> bool:
        own = record.config.labels or {}
        labels = {**record.image.labels, **own}
        return not self._is_declared(own) and self._may_go([record.name], filters, labels, record.created)

    def _volumes_lost_with(self, record: ContainerRecord) -> list[str]:
        """A container that was to remove itself takes its anonymous volumes along, as it would have."""
        if not (record.config.auto_remove or record.state.takes_volumes):
            return []
        own = [volume.name for volume in volumes_of(self.rows, record.id) if volume.anonymous]
        lost = [name for name in own if self._is_unused(user_ids(self.rows, name)) and name not in self.lost]
        self.lost.update(lost)
        return lost

    def _is_unused(self, users: t.Iterable[str]) -> bool:
        return self.gone.issuperset(users)

    # Logs

    def _logs(self, filters: Filters) -> None:
        admitting = filters._replace(until="")
        everything = self.request.truncate_logs
        for record in self.all_containers:
            if record.id in self.gone or not self._container_may_go(record, admitting):
                continue
            rests = self.statuses[record.id] in AT_REST
            freed = measure_logs(self.engine, record, rests=rests, everything=everything, until=filters.until)
            if freed:
                self.steps.append(PruneLogs(freed, record, everything, filters.until))

    # Networks and volumes

    def _networks(self, filters: Filters) -> None:
        for network in list_networks(self.rows):
            users = (endpoint.container_id for endpoint in endpoints_in(self.rows, network.name))
            if (
                network.name != DEFAULT_NETWORK
                and not self._is_declared(network.labels)
                and self._may_go([network.name], filters, network.labels, network.created)
                and self._is_unused(users)
            ):
                self.steps.append(PruneNetwork(0, network.name))

    def _volumes(self, filters: Filters) -> None:
        for volume in list_volumes(self.rows):
            if (
                (volume.anonymous or filters.all)
                and volume.name not in self.lost
                and not self._is_declared(volume.labels)
                and self._may_go([volume.name], filters, volume.labels, volume.created)
                and self._is_unused(user_ids(self.rows, volume.name))
            ):
                size = tree_size(self._volume_directory(volume.name))
                self.steps.append(PruneVolume(size, volume.name))

    def _volume_directory(self, name: str) -> str:
        return f"{self.engine.paths.volumes}/{name}"

    # Images

    def _images(self, filters: Filters) -> None:
        images = [(record, names_of(self.rows, record.id)) for record in list_images(self.rows)]
        named_too = filters.dangling is False or (filters.dangling is None and self.request.keep_last > 0)
        kept = self._newest(images)
        going = []
        for record, names in images:
            if (
                (named_too or not names)
                and record.id not in kept
                and self._may_go(_called(names), filters, record.image_config.labels, record.created)
                and self._is_unused(users_of(self.rows, record.id))
            ):
                going.append(record.id)
                self.steps.append(PruneImage(0, record, tuple(name.name for name in names)))
        freed = measure_garbage(self.engine, going)
        if freed:
            self.steps.append(CollectGarbage(freed))

    def _newest(self, images: t.Sequence[tuple[ImageRecord, list[ImageName]]]) -> set[str]:
        """The newest of each repository, as many as are to be kept; `images` are in that order."""
        kept: dict[str, set[str]] = {}
        for record, names in images:
            for repository in {name.repository_name for name in names}:
                newest = kept.setdefault(repository, set())
                if len(newest) < self.request.keep_last:
                    newest.add(record.id)
        return set().union(*kept.values())


def _called(names: t.Iterable[ImageName]) -> list[str]:
    """What a pattern may be meant for: `nginx:1.2`, `docker.io/library/nginx:1.2`, both without the tag."""
    found = []
    for name in names:
        short = familiar_name(name.name)
        repository = short.partition("@")[0] if "@" in short else short.rpartition(":")[0]
        found += [name.name, name.repository_name, short, repository]
    return found
