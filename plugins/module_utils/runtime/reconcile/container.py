# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The plan for one container: what is there, what is wanted, and the steps between.

    image given      the description is complete: what differs is changed in place where the option allows it,
                     else by a replacement; what is not given means its default
    image not given  the container has to be there; only what is given is looked at; nothing is ever replaced
    state            present: there, neither started nor stopped; started; stopped; absent

`Sight` (container_sight.py) looks at the host, the plan itself is pure. Every step is added together with
what it will have made true, so that the facts of check mode cannot say anything else than what the steps
would do.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..container.config import ContainerConfig
from ..container.contradictions import check_config, check_network
from ..container.records import READY, ContainerRecord
from ..container.status import CONMON_KILLED, UNKNOWN_CODE, Status
from ..errors import Conflict, InvalidInput, NotFound
from ..oci.image_config import ImageConfig
from ..oci.reference import familiar_name
from .connection_differences import lost_networks
from .container_fields import NETWORK, differences, merged
from .container_request import Request, check_in_place, check_request, check_sources, check_whole
from .container_sight import Outlook, Sight
from .differences import LIVE, RECREATE, Difference, created, describe_all, removed
from .previous import all_versions, check_previous, check_usable
from .record_traits import anonymous_targets, finished, interrupted_change
from .source_differences import id_of, image_differences, moved_sources
from .steps import Plan, Step

if t.TYPE_CHECKING:
    from ..container.storage import VolumeMount
    from ..oci.reference import Reference
    from ..operations.resolve_image import ResolvedImage
    from .container_steps import Ending, ImageChoice, RemoveContainer


class Planned(t.NamedTuple):
    plan: Plan
    before: Outlook | None
    after: Outlook | None
    warnings: tuple[str, ...] = ()


def plan_container(sight: Sight, asked: ContainerConfig, request: Request) -> Planned:
    """Changes nothing. Raises InvalidInput for what contradicts itself, NotFound, Conflict."""
    check_request(asked, request)
    check_sources(asked, request)
    check_previous(asked, request)
    sight.await_replacements((request.name, request.new_name or request.name))
    sketch = _Sketch(sight, asked, request)
    sketch.find()
    sketch.finish_interrupted_work()
    sketch.rename()
    if request.state == "absent":
        sketch.make_absent()
        return sketch.finished()
    if request.rollback:
        sketch.roll_back()
    elif asked.image:
        sketch.make_as_declared()
    else:
        sketch.change_in_place()
    sketch.bring_into_state()
    sketch.pause_or_resume()
    sketch.wait()
    sketch.drop_previous()
    return sketch.finished()


class _Sketch:
    """A plan under way: the steps so far, and what the container will be when they are done (`now`)."""

    def __init__(self, sight: Sight, asked: ContainerConfig, request: Request) -> None:
        self.sight = sight
        self.request = request
        self.asked = asked
        self.name = request.name
        self.before: Outlook | None = None
        self.now: Outlook | None = None
        self.steps: list[Step] = []
        self.differences: list[Difference] = []
        self.warnings: list[str] = []
        self.fresh = False  # made by this plan: it goes again if it does not start
        self.replaced = False
        self.mounted_images: dict[str, str] = {}
        self.inherited: list[VolumeMount] = []

    def finished(self) -> Planned:
        return Planned(Plan(self.steps, self.differences), self.before, self.now, tuple(self.warnings))

    @property
    def image_name(self) -> str:
        return str(self.asked.image)

    def _add(self, step: Step, after: Outlook | None) -> None:
        self.steps.append(step)
        self.now = after

    # What is there

    def find(self) -> None:
        """By `name`, or by `new_name` where an earlier run has renamed it already."""
        old = self.sight.container(self.request.name)
        new = self.sight.container(self.request.new_name) if self.request.new_name else None
        if old and new and old.record.id != new.record.id:
            raise Conflict(
                f"rename container {self.request.name}: the name {self.request.new_name} is taken",
                "remove the other container first, or choose another name",
            )
        self.before = self.now = old or new
        if self.now and self.request.state != "absent":
            check_usable(self.now)
        self.name = self.now.record.name if self.now else self.request.new_name or self.request.name

    def finish_interrupted_work(self) -> None:
        """A killed task leaves a container half replaced, half made or half removed; a killed conmon,
        unguarded.
        """
        for half in self.sight.hidden(self.name):
            self._finish_replacement(half)
        if self.now is None:
            return
        if self.now.record.state.phase != READY:
            self._repair("an interrupted task left it unfinished", None)
        elif self.now.status.unsupervised:
            ended = Status("exited", exit_code=UNKNOWN_CODE, error=CONMON_KILLED)
            self._repair(f"its {CONMON_KILLED}", self.now._replace(status=ended))
        elif self.request.state != "absent" and (what := interrupted_change(self.now)):
            after = self.now._replace(record=finished(self.now.record))
            self._repair(f"a change of its {what} was interrupted", after)

    def _finish_replacement(self, half: ContainerRecord) -> None:
        """Before the switch the new half goes and the old one runs again if it did; after it the old half
        goes.
        """
        from .container_steps import RepairReplacement

        replaces, after = half.state.replaces, self.now
        if replaces and replaces.stops_it and after and not after.status.alive:
            after = after._replace(status=Status("running"))
        self._add(RepairReplacement(half.id, self.name, replaces, bool(half.state.kept_since)), after)

    def _repair(self, reason: str, after: Outlook | None) -> None:
        from .container_steps import RepairContainer

        self._add(RepairContainer(self.name, reason), after)

    def rename(self) -> None:
        found, new_name = self.now, self.request.new_name
        if found is None or new_name is None or found.record.name == new_name:
            return
        from .container_steps import RenameContainer

        self.name = new_name
        self.differences.append(Difference("name", found.record.name, new_name, how=LIVE))
        step = RenameContainer(found.record.name, new_name)
        self._add(step, found._replace(record=dataclasses.replace(found.record, name=new_name)))

    # What is wanted

    def make_absent(self) -> None:
        if self.now is None:
            return
        if self.now.running:
            self._stop(self.now)
        step = self._removal(self.now.record)
        self.differences.append(removed(step.describe()))
        if not self.now.record.state.kept_since:
            self.steps += all_versions(self.name, step, self.sight.previous(self.now.record))
        self._add(step, None)

    def _removal(self, record: ContainerRecord, reason: str = "") -> RemoveContainer:
        """Anonymous volumes go with their container: nobody would ever hear of them again."""
        from .container_steps import RemoveContainer

        if self.request.keep_volumes and not record.config.auto_remove:
            return RemoveContainer(self.name, reason)
        return RemoveContainer(self.name, reason, True, tuple(anonymous_targets(record)))

    def make_as_declared(self) -> None:
        """With an image: the description is complete."""
        check_config(self.asked)
        self.sight.check_demands(self.asked)
        image = self.sight.image(self.asked, self.request)
        self._bring(image, self.image_name, self.asked.platform)
        for mount in self.asked.mounts or ():
            if mount["type"] == "image":
                self._bring_mounted(mount["source"], image)
        self._inherit()
        if self.now is None:
            self._create(image)
            return
        record = self.now.record
        if self.request.comparisons:
            from .comparisons import relaxed

            self.asked = relaxed(record.config, self.asked, self.request.comparisons)
            check_whole(self.asked, self.request)
        found = [
            *image_differences(record, image, self.image_name, self.request),
            *differences(record.config, self.asked),
            *moved_sources(record, self.asked, self.mounted_images, self.inherited),
        ]
        found += self._lost_networks(record, self.asked, found)
        self.differences += found
        if self.request.recreate or any(difference.how == RECREATE for difference in found):
            self._replace(self.now, image, describe_all(found) or "recreate is true")
        elif found:
            self._update(self.now, self.asked, self.image_name, found)

    def _bring(self, image: ResolvedImage, name: str, platform: str | None) -> None:
        """Pull the image, if need be and if possible."""
        self.warnings += [image.warning] if image.warning else []
        if image.must_pull:
            self._pull(image, platform)
        elif image.record is None and not image.coming:
            raise NotFound(
                f"container {self.name}: image {familiar_name(name)} is not on this host, and pull is never",
                "pull it with the image module, or choose pull: missing",
            )

    def _bring_mounted(self, name: str, own: ResolvedImage) -> None:
        """An image that is mounted; once, if it is mounted twice or is the container's own."""
        if name in self.mounted_images:
            return
        is_own = name == self.image_name and self.asked.platform is None
        image = own if is_own else self.sight.mounted_image(name, self.request)
        if not is_own:
            self._bring(image, name, None)
        self.mounted_images[name] = id_of(image)

    def _inherit(self) -> None:
        """In check mode the container may be one that a task before this one would have made."""
        if not self.asked.volumes_from:
            return
        try:
            self.inherited = self.sight.inherited(self.asked)
        except NotFound as error:
            self.warnings.append(f"container {self.name}: {error}")
            self.inherited = self.now.record.inherited if self.now else []

    def _warn(self, obstacles: t.Iterable[str]) -> None:
        """Whatever this host would refuse is told before anything is changed."""
        sentences = [f"container {self.name}: {sentence}" for sentence in obstacles]
        self.warnings += [sentence for sentence in sentences if sentence not in self.warnings]

    def _lost_networks(
        self, record: ContainerRecord, asked: ContainerConfig, found: t.Iterable[Difference]
    ) -> list[Difference]:
        if any(difference.field in NETWORK for difference in found):
            return []
        return lost_networks(asked, lambda: self.sight.networks(record))

    def roll_back(self) -> None:
        """To a container like the newest version that is kept, which is not needed then."""
        if self.now is None:
            raise NotFound(f"container {self.name} does not exist", "there is nothing to roll back")
        from .container_steps import RemoveContainer
        from .previous import newest, way_back

        version = newest(self.now.record, self.sight.previous(self.now.record))
        self.mounted_images, self.inherited = version.mounted_images, version.inherited
        found = way_back(self.now.record, version)
        self.differences += found
        self.asked = dataclasses.replace(version.config, image=version.image_name)
        check_whole(self.asked, self.request)
        reason = f"rollback to {version.name}" + (f": {describe_all(found)}" if found else "")
        self._replace(self.now, self.sight.image_of(version), reason)
        self._add(RemoveContainer(version.name, "it is in place again", True), self.now)

    def change_in_place(self) -> None:
        """Without an image: only what is given counts, and nothing is replaced for it."""
        if self.now is None:
            raise NotFound(f"container {self.name} does not exist", "give image to have it created")
        record, given = self.now.record, self.request.given.difference(("stop_timeout",))
        found = differences(record.config, self.asked, given)
        whole = merged(record.config, self.asked, given)
        if given.intersection(NETWORK):
            found += self._lost_networks(record, whole, found)
        check_in_place(self.name, given, found)
        if given.intersection(NETWORK):
            check_network(whole)
        if found:
            fields = {difference.field for difference in found}
            fields |= set(NETWORK) if fields.intersection(NETWORK) else set()
            config = merged(record.config, self.asked, given.intersection(fields))
            check_config(config)
            self.differences += found
            self._update(self.now, config, record.image_name, found)

    def bring_into_state(self) -> None:
        found = t.cast(Outlook, self.now)
        if not self.request.detach:
            self._run_to_end(found)
        elif self.request.state == "stopped" and found.running:
            self._stop(found)
        elif self.request.state == "started" and not found.running:
            self._start(found)
        elif not self.replaced:
            self._begin_anew(found)

    def _begin_anew(self, found: Outlook) -> None:
        """Because the task says so, or the container whose network it shares has another one now."""
        if self.request.restart:
            self._restart(found, "restart is true")
        elif self.request.state == "started":
            reason = self.sight.left_alone(found.record)
            if reason:
                self._restart(found, reason)

    def pause_or_resume(self) -> None:
        found, paused = self.now, self.request.paused
        if found is None or paused is None:
            return
        from .container_steps import PauseContainer, ResumeContainer

        if paused and found.status.status == "running":
            self._add(
                PauseContainer(self.name), found._replace(status=found.status._replace(status="paused"))
            )
        elif not paused and found.status.status == "paused":
            self._add(
                ResumeContainer(self.name), found._replace(status=found.status._replace(status="running"))
            )

    def wait(self) -> None:
        if self.now is None or not (self.request.healthy or self.request.ready):
            return
        from .container_waits import waits

        changed = any(step.changes for step in self.steps)
        self.steps += waits(self.sight, self.now, self.request, changed, self.replaced)

    def drop_previous(self) -> None:
        if self.now is None or self.before is None or self.request.keep_previous is None:
            return
        from .previous import surplus

        old = self.before.record
        kept = self.sight.previous(old)
        self.steps += surplus(self.now, self.request, kept, old if self.replaced else None)

    # Steps, each with what it will have made true

    def _pull(self, image: ResolvedImage, platform: str | None) -> None:
        from .image_steps import PullImage

        reference = t.cast("Reference", image.reference)
        self._add(PullImage(reference, platform, self.request.registry, image.reason), self.now)

    def _create(self, image: ResolvedImage) -> None:
        from .container_steps import CreateContainer

        if len(self.name) == 64 and not self.name.strip("0123456789abcdef"):
            raise InvalidInput(
                f"container {self.name[:12]}… does not exist", "the name of a new container is no id"
            )
        self.fresh = True
        step = CreateContainer(self.name, self.asked, _choice(image, self.image_name))
        self.differences.append(created(step.describe()))
        record = self._record_to_come(image)
        self._warn(self.sight.obstacles(record, None))
        self._warn(self.sight.check_start(record))
        self._add(step, Outlook(record, Status("created")))

    def _replace(self, old: Outlook, image: ResolvedImage, reason: str) -> None:
        """In state `present` the new container runs if the old one did."""
        from .container_steps import ReplaceContainer

        self.replaced = True
        run = {"started": self.request.detach, "present": old.running}.get(self.request.state, False)
        choice = _choice(image, self.image_name)
        request = self.request
        step = ReplaceContainer(
            self.name,
            self.asked,
            choice,
            run,
            self._ending(),
            reason,
            healthy_within=request.healthy_wait_timeout if request.healthy and run else None,
            ready=request.ready,
            start_first=request.start_first and run and old.running,
            drain_timeout=request.drain_timeout,
            keep=bool(request.keep_previous) and not old.record.config.auto_remove,
        )
        record = self._record_to_come(image)
        self._warn(self.sight.obstacles(record, old.record))
        self._warn(self.sight.check_start(record))
        if run:
            self._prepare_start(record)
        record.ancestor = old.record.ancestor or old.record.id
        self._add(step, Outlook(record, Status("running" if run else "created")))

    def _record_to_come(self, image: ResolvedImage) -> ContainerRecord:
        """Of an image that is yet to be pulled, only the name is known."""
        here = None if image.must_pull else image.record
        return ContainerRecord(
            id="",
            name=self.name,
            image_id=here.id if here else "",
            image_name=self.image_name,
            image=here.image_config if here else ImageConfig(),
            config=self.asked,
            created="",
            inherited=self.inherited,
            mounted_images=self.mounted_images,
        )

    def _update(
        self, old: Outlook, config: ContainerConfig, image_name: str, found: list[Difference]
    ) -> None:
        from .container_steps import UpdateContainer

        step = UpdateContainer(self.name, config, image_name, describe_all(found))
        self.sight.check_limits(old.record, config)
        record = dataclasses.replace(old.record, config=config, image_name=image_name)
        self._warn(self.sight.obstacles(record, old.record))
        self._add(step, old._replace(record=record))

    def _prepare_start(self, record: ContainerRecord) -> None:
        self._make_image_whole(record)
        for path in self.sight.missing_sources(record):
            from .container_steps import MakeSource

            self._add(MakeSource(path, self.name), self.now)
        if record.config.requires:
            from .required import required_starts

            for step in required_starts(self.sight, record, self.name, self.warnings):
                self._add(step, self.now)

    def _make_image_whole(self, record: ContainerRecord) -> None:
        """Before a start, with those that are mounted; an image that is yet to be pulled will be."""
        names = {record.image_id: record.image_name}
        names.update((image_id, name) for name, image_id in record.mounted_images.items())
        for image_id, name in names.items():
            damaged = self.sight.damaged_image(image_id) if image_id else None
            if damaged is not None:
                from .image_steps import RepairImage

                reason = "layers of it are lost or damaged"
                step = RepairImage(familiar_name(name), damaged, self.request.registry, reason)
                self._add(step, self.now)

    def _start(self, found: Outlook) -> None:
        from .container_steps import StartContainer

        if not self.fresh:
            self._warn(self.sight.check_start(found.record))
        self._prepare_start(found.record)
        step = StartContainer(self.name, self.fresh, f"it is {found.status.status}")
        self._add(step, Outlook(finished(found.record), Status("running")))

    def _restart(self, found: Outlook, reason: str) -> None:
        from .container_steps import RestartContainer

        self._warn(self.sight.check_start(found.record))
        self._prepare_start(found.record)
        step = RestartContainer(self.name, self._ending(), reason)
        self._add(step, found._replace(status=Status("running")))

    def _stop(self, found: Outlook) -> None:
        from .container_steps import StopContainer

        step = StopContainer(self.name, self._ending())
        self._add(step, found._replace(status=Status("exited", started_at=found.status.started_at)))

    def _run_to_end(self, found: Outlook) -> None:
        from .container_steps import RunContainer

        if not found.running:
            if not self.fresh:
                self._warn(self.sight.check_start(found.record))
            self._prepare_start(found.record)
        step = RunContainer(self.name, self.fresh, found.running)
        self._add(step, found._replace(status=Status("exited")))
        if self.request.cleanup or found.record.config.auto_remove:
            self._add(self._removal(found.record, "it has ended"), None)

    def _ending(self) -> Ending:
        """How the container is stopped, where the task says something about it."""
        from .container_steps import Ending

        signal = (self.request.kill_signal or "SIGKILL") if self.request.force_kill else None
        return Ending(signal, self.asked.stop_timeout)


def _choice(image: ResolvedImage, name: str) -> ImageChoice:
    from .container_steps import ImageChoice

    return ImageChoice(name, id_of(image) or None)
