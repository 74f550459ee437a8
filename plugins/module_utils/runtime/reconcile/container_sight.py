# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a plan for a container looks at. Nothing here changes anything."""

from __future__ import annotations

import typing as t

from ..container.config import ContainerConfig
from ..container.records import ContainerRecord, find_container, find_remains, hidden_for, list_hidden
from ..container.status import Status, observe
from ..errors import StateError, doing

if t.TYPE_CHECKING:
    from ..container.storage import VolumeMount
    from ..content.images import ImageRecord
    from ..engine import Engine
    from ..operations.resolve_image import ResolvedImage
    from .container_request import Request

RUNNING = ("running", "paused", "restarting")


REPLACEMENT_TIMEOUT = 600.0
"""Seconds to wait for another task that replaces the container; it stops the old one in its own time."""


class Outlook(t.NamedTuple):
    """A container as it is or is going to be. A container that is yet to be made has no id: ``."""

    record: ContainerRecord
    status: Status

    @property
    def running(self) -> bool:
        return self.status.status in RUNNING


class Sight:
    """What a plan looks at. `rehearses`: the plan is not going to be carried out."""

    def __init__(self, engine: Engine, rehearses: bool = False) -> None:
        self.engine = engine
        self.rehearses = rehearses

    def container(self, name: str) -> Outlook | None:
        """By exact name or full id. Status `dead`: its record cannot be read, so all that can be done is to
        remove it.
        """
        try:
            record = find_container(self.engine.records, name)
        except StateError as error:
            remains = find_remains(self.engine.records, name)
            return Outlook(remains, Status("dead", error=str(error))) if remains else None
        return Outlook(record, observe(self.engine, record)) if record else None

    def await_replacements(self, names: t.Collection[str]) -> None:
        """Wait until no other task is replacing one of these containers: the plan would be of the past."""
        for half in list_hidden(self.engine.records):
            if hidden_for(half.name) in names:
                from ..linux.locks import lock

                replaces = half.state.replaces
                old_id = replaces.container_id if replaces else half.id
                name = f"replacement-{old_id}"
                with lock(self.engine.paths, name, timeout=REPLACEMENT_TIMEOUT, fleeting=True):
                    pass

    def hidden(self, name: str) -> list[ContainerRecord]:
        """What an interrupted replacement of the container has left."""
        return [record for record in list_hidden(self.engine.records) if hidden_for(record.name) == name]

    def previous(self, record: ContainerRecord) -> list[ContainerRecord]:
        """Versions of the container that are kept, the newest first."""
        from ..container.records import list_previous

        return list_previous(self.engine.records, record)

    def image_of(self, record: ContainerRecord) -> ResolvedImage:
        """The one that a container has had since it was made, whatever its name leads to today."""
        from ..content.images import find_image
        from ..operations.resolve_image import ResolvedImage

        return ResolvedImage(None, find_image(self.engine.records, record.image_id))

    def image(self, asked: ContainerConfig, request: Request) -> ResolvedImage:
        from ..operations.resolve_image import resolve_image

        return resolve_image(
            self.engine, str(asked.image), request.pull, options=request.registry, platform=asked.platform
        )

    def check_demands(self, asked: ContainerConfig) -> None:
        """HostNotReady or InvalidInput for what no container can have on this host, before anything is pulled
        or made.
        """
        if asked.cpus is not None:
            from ..container.spec_resources import check_cpus

            check_cpus(asked)
        if asked.log_driver == "journald":
            from ..container.log_values import check_journal
            from ..linux.programs import find_program

            check_journal(find_program(self.engine.conmon))
        if asked.cgroup_parent:
            from ..linux.cgroups import check_parent

            check_parent(asked.cgroup_parent, "cgroup_parent")
        if asked.blkio_weight is not None:
            from ..container.host_facts import read_host_facts
            from ..container.spec_resources import check_weight

            check_weight(read_host_facts())

    def mounted_image(self, name: str, request: Request) -> ResolvedImage:
        """An image that is mounted into the container, by canonical name or id."""
        from ..operations.resolve_image import resolve_image

        return resolve_image(self.engine, name, request.pull, options=request.registry)

    def inherited(self, asked: ContainerConfig) -> list[VolumeMount]:
        """What `volumes_from` brings. NotFound if a container is not there."""
        from ..operations.inherit_volumes import inherited_volumes

        return inherited_volumes(self.engine.records.read(), asked)

    def comes_first(self, name: str) -> bool:
        """Is somebody else seeing to it that this container runs when it is needed?"""
        return False

    def left_alone(self, record: ContainerRecord) -> str:
        """Why the container, which runs, does not share any more what it shall share with another one."""
        if not (record.config.network_mode or "").startswith("container:"):
            return ""
        from ..operations.look_at_shared_network import left_alone_by

        other = left_alone_by(self.engine, record)
        return other and f"network_mode: container {other} has another network now"

    def is_healthy(self, record: ContainerRecord) -> bool:
        from ..container.health import HEALTHY, health_of

        health = health_of(self.engine.paths, record)
        return health is not None and health.status == HEALTHY

    def networks(self, record: ContainerRecord) -> list[str]:
        """Those that the container is on."""
        from ..network.records import endpoints_of

        return [endpoint.network for endpoint in endpoints_of(self.engine.records.read(), record.id)]

    def obstacles(self, wanted: ContainerRecord, old: ContainerRecord | None) -> list[str]:
        """What stands in the way of the networks and ports of a container (operations/rehearse_network.py).

        In check mode only, where a task before this one may do away with it; the real task meets it itself.
        """
        if not self.rehearses:
            return []
        from ..operations.rehearse_network import rehearse_network

        obstacle = rehearse_network(self.engine, wanted, old)
        return [f"{obstacle}; the real task fails if that is still so"] if obstacle else []

    def check_start(self, record: ContainerRecord) -> list[str]:
        """Raises what would keep the container from starting on this host. In check mode, what a task before
        this one may do away with is a sentence.
        """
        from ..operations.rehearse_start import rehearse_start

        with doing(f"container {record.name}"):
            obstacle = rehearse_start(self.engine, record)
            if obstacle and not self.rehearses:
                raise obstacle
        return [f"{obstacle}; the real task fails if that is still so"] if obstacle else []

    def check_limits(self, record: ContainerRecord, config: ContainerConfig) -> None:
        """Raises what keeps the container, which is there, from getting other limits."""
        from ..container.live_limits import limits_differ

        if limits_differ(record.config, config):
            from ..operations.rehearse_start import rehearse_limits

            with doing(f"container {record.name}"):
                rehearse_limits(config)

    def damaged_image(self, image_id: str) -> ImageRecord | None:
        """The image, if layers of it are lost: a container of it cannot be started."""
        from ..content.images import find_image
        from ..operations.repair_image import damaged_layers

        image = find_image(self.engine.records, image_id)
        return image if image and damaged_layers(self.engine, image) else None

    def missing_sources(self, record: ContainerRecord) -> list[str]:
        """Paths of the host that the container mounts and that its start makes, as directories."""
        from ..container.storage import sources_to_make

        return sources_to_make(record)
