# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the plan for one of many containers looks at: the host, and what the others are going to make."""

from __future__ import annotations

import typing as t

from ..container.attachments import attachments_of
from ..container.sharing import joined_containers
from ..errors import NotFound
from .container import Planned, plan_container
from .container_sight import Sight
from .container_steps import ReplaceContainer, RestartContainer, StartContainer
from .image_steps import PullImage

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.records import ContainerRecord
    from ..container.storage import VolumeMount
    from ..engine import Engine
    from ..operations.resolve_image import ResolvedImage
    from .container_request import Request

_NEW_NAMESPACES = (ReplaceContainer, RestartContainer, StartContainer)


class ProjectSight(Sight):
    """`pulls` are the images that have to be brought, each once; `pulls_by_container` says who needs them."""

    def __init__(
        self, engine: Engine, *, rehearses: bool, networks: t.Iterable[str], containers: t.Iterable[str]
    ) -> None:
        """`networks` and `containers`: names of those that are there when they are needed."""
        super().__init__(engine, rehearses)
        self.pulls: dict[tuple[str, str | None], PullImage] = {}
        self.pulls_by_container: dict[str, list[PullImage]] = {}
        self._networks = frozenset(networks)
        self._containers = frozenset(containers)
        self._plans: dict[str, Planned] = {}
        self._images: dict[tuple[str, str | None, str], ResolvedImage] = {}
        self._at_work_for = ""

    def plan(self, asked: ContainerConfig, request: Request) -> Planned:
        self._at_work_for = request.name
        planned = self._plans[request.name] = plan_container(self, asked, request)
        return planned

    def image(self, asked: ContainerConfig, request: Request) -> ResolvedImage:
        return self.image_called(str(asked.image), asked.platform, request.pull, request.registry)

    def mounted_image(self, name: str, request: Request) -> ResolvedImage:
        return self.image_called(name, None, request.pull, request.registry)

    def image_called(self, name: str, platform: str | None, pull: str, registry: t.Any) -> ResolvedImage:
        """One that has to be pulled is `coming`; a registry is asked once for each image."""
        from ..operations.resolve_image import resolve_image

        known = self._images.get((name, platform, pull))
        if known is None:
            known = resolve_image(self.engine, name, pull, options=registry, platform=platform)
            self._images[name, platform, pull] = known
        if not known.must_pull or known.reference is None:
            return known
        step = PullImage(known.reference, platform, registry, known.reason)
        step = self.pulls.setdefault((name, platform), step)
        self.pulls_by_container.setdefault(self._at_work_for, []).append(step)
        return known._replace(must_pull=False, record=None, coming=True)

    def inherited(self, asked: ContainerConfig) -> list[VolumeMount]:
        """Of a container that is yet to be made nothing is known."""
        try:
            return super().inherited(asked)
        except NotFound:
            if self._containers.issuperset(source["container"] for source in asked.volumes_from or ()):
                return []
            raise

    def comes_first(self, name: str) -> bool:
        return name in self._containers

    def left_alone(self, record: ContainerRecord) -> str:
        for option, name in joined_containers(record.config).items():
            steps = self._plans[name].plan.steps if name in self._plans else ()
            if any(isinstance(step, _NEW_NAMESPACES) for step in steps):
                return f"{option}: container {name} is started anew"
        return super().left_alone(record)

    def obstacles(self, wanted: ContainerRecord, old: ContainerRecord | None) -> list[str]:
        """What depends on a network or a container of the project cannot be rehearsed."""
        needed = {item["name"] for item in attachments_of(wanted.config).networks}
        if needed & self._networks or self._joins_sisters(wanted):
            return []
        return super().obstacles(wanted, old)

    def check_start(self, record: ContainerRecord) -> list[str]:
        return [] if self._joins_sisters(record) else super().check_start(record)

    def _joins_sisters(self, record: ContainerRecord) -> bool:
        return not self._containers.isdisjoint(joined_containers(record.config).values())
