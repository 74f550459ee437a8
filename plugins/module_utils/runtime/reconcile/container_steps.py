# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The steps of a plan for one container: what each says, and which verb it calls.

Steps know a container by the name that it has when their turn comes.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..errors import CoracleError, NotFound, collecting
from .steps import Step

if t.TYPE_CHECKING:
    from ..agent import main as _shipped_with_us  # noqa: F401 - what a started container leaves on the host
    from ..container.config import ContainerConfig
    from ..container.ready import Ready
    from ..container.records import ContainerRecord, Replaces
    from ..content.images import ImageRecord
    from ..engine import Engine

OUTPUT_LIMIT = 1 << 20
"""Bytes of output that a one-shot container may put into a task's result."""


class ImageChoice(t.NamedTuple):
    """The image to use: by id, or by name (canonical) where a step before this one pulls it."""

    name: str
    id: str | None


class Ending(t.NamedTuple):
    """How to end a container where the task says so. None: the container's own stop signal and timeout."""

    signal: str | None = None
    timeout: int | None = None


@dataclasses.dataclass(frozen=True)
class CreateContainer(Step):
    name: str
    config: ContainerConfig
    image: ImageChoice

    def describe(self) -> str:
        from ..oci.reference import familiar_name

        return f"create container {self.name} from {familiar_name(self.image.name)}"

    def execute(self, engine: Engine) -> None:
        from ..operations.create_container import create_container

        create_container(engine, self.name, self.config, chosen_image(engine, self.image), self.image.name)

    def lasts(self, engine: Engine) -> bool:
        from ..container.records import find_container

        return find_container(engine.records, self.name) is not None


@dataclasses.dataclass(frozen=True)
class ReplaceContainer(Step):
    name: str
    config: ContainerConfig
    image: ImageChoice
    run: bool
    ending: Ending
    reason: str
    healthy_within: float | None = None
    ready: Ready | None = None
    start_first: bool = False
    drain_timeout: float = 10.0
    keep: bool = False

    def describe(self) -> str:
        how = ", the new one before the old one stops" if self.start_first else ""
        how += ", keeping the old one" if self.keep else ""
        return f"recreate container {self.name}{how}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.replace_container import Proof, replace_container

        image = chosen_image(engine, self.image)
        replace_container(
            engine,
            self.name,
            self.config,
            image,
            self.image.name,
            run=self.run,
            proof=Proof(self.healthy_within, self.ready),
            start_first=self.start_first,
            drain_timeout=self.drain_timeout,
            keep=self.keep,
            **self.ending._asdict(),
        )


@dataclasses.dataclass(frozen=True)
class UpdateContainer(Step):
    name: str
    config: ContainerConfig
    image_name: str
    reason: str

    def describe(self) -> str:
        return f"update container {self.name}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.update_container import update_container

        update_container(engine, self.name, self.config, self.image_name)


@dataclasses.dataclass(frozen=True)
class RenameContainer(Step):
    name: str
    new_name: str

    def describe(self) -> str:
        return f"rename container {self.name} to {self.new_name}"

    def execute(self, engine: Engine) -> None:
        from ..operations.rename_container import rename_container

        rename_container(engine, self.name, self.new_name)


@dataclasses.dataclass(frozen=True)
class MakeSource(Step):
    """As Docker does. Containers that start without a task make it themselves."""

    path: str
    container: str

    def describe(self) -> str:
        return f"create directory {self.path} on the host: container {self.container} mounts it"

    def execute(self, engine: Engine) -> None:
        from ..container.mount_places import make_bind_sources
        from ..container.storage import VolumeMount

        make_bind_sources([VolumeMount("bind", self.path, "")])


@dataclasses.dataclass(frozen=True)
class StartContainer(Step):
    """`fresh`: the plan has made the container, and takes it back if it does not start."""

    name: str
    fresh: bool
    reason: str

    def describe(self) -> str:
        return f"start container {self.name}" + ("" if self.fresh else f": {self.reason}")

    def execute(self, engine: Engine) -> None:
        start(engine, self.name, self.fresh)


@dataclasses.dataclass(frozen=True)
class RestartContainer(Step):
    name: str
    ending: Ending
    reason: str

    def describe(self) -> str:
        return f"restart container {self.name}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.restart_container import restart_container

        restart_container(engine, self.name, **self.ending._asdict())


@dataclasses.dataclass(frozen=True)
class StopContainer(Step):
    name: str
    ending: Ending

    def describe(self) -> str:
        return f"stop container {self.name}"

    def execute(self, engine: Engine) -> None:
        from ..operations.stop_container import stop_container

        stop_container(engine, self.name, **self.ending._asdict())


@dataclasses.dataclass(frozen=True)
class AwaitContainer(Step):
    """It has to become healthy, or to end with exit code 0 (`goal` exited). `timeout` in seconds; 0 and less:
    for ever.
    """

    changes = False

    name: str
    goal: t.Literal["healthy", "exited"]
    timeout: float

    def describe(self) -> str:
        return f"wait until container {self.name} {'is healthy' if self.goal == 'healthy' else 'has ended'}"

    def execute(self, engine: Engine) -> None:
        from ..operations.wait_for_containers import Want, wait_for_containers

        codes = (0,) if self.goal == "exited" else None
        timeout = self.timeout if self.timeout > 0 else None
        wait_for_containers(engine, [self.name], Want(self.goal, exit_codes=codes), timeout)


@dataclasses.dataclass(frozen=True)
class AwaitReady(Step):
    changes = False

    name: str
    ready: Ready

    def describe(self) -> str:
        return f"wait until container {self.name} is ready: {self.ready}"

    def execute(self, engine: Engine) -> None:
        from ..operations.await_ready import await_ready

        await_ready(engine, self.name, self.ready)


@dataclasses.dataclass(frozen=True)
class PauseContainer(Step):
    name: str

    def describe(self) -> str:
        return f"pause container {self.name}"

    def execute(self, engine: Engine) -> None:
        from ..operations.pause_container import pause_container

        pause_container(engine, self.name)


@dataclasses.dataclass(frozen=True)
class ResumeContainer(Step):
    name: str

    def describe(self) -> str:
        return f"resume container {self.name}"

    def execute(self, engine: Engine) -> None:
        from ..operations.pause_container import resume_container

        resume_container(engine, self.name)


@dataclasses.dataclass(frozen=True)
class RemoveContainer(Step):
    """`volumes`: with its anonymous volumes, which are at these `targets`."""

    name: str
    reason: str = ""
    volumes: bool = False
    targets: tuple[str, ...] = ()

    def describe(self) -> str:
        too = f" and its volumes {', '.join(self.targets)}" if self.targets else ""
        return f"remove container {self.name}{too}" + (f": {self.reason}" if self.reason else "")

    def execute(self, engine: Engine) -> None:
        from ..operations.remove_container import remove_container

        remove_container(engine, self.name, volumes=self.volumes)


@dataclasses.dataclass(frozen=True)
class RepairContainer(Step):
    """End what an interrupted task or a killed conmon has left; see operations/repair_container.py."""

    name: str
    reason: str

    def describe(self) -> str:
        return f"repair container {self.name}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.repair_container import repair_container

        repair_container(engine, self.name)


@dataclasses.dataclass(frozen=True)
class RepairReplacement(Step):
    """Undo a replacement whose task was killed before the switch (`replaces`), or finish one that was
    killed after it.
    """

    hidden_id: str
    name: str
    replaces: Replaces | None
    keeps: bool = False

    def describe(self) -> str:
        if self.keeps:
            what = "keep the one that it has replaced"
        elif self.replaces is None:
            what = "remove the one that it has replaced"
        elif self.replaces.stops_it:
            what = "its replacement was interrupted, start the old one again"
        else:
            what = "its replacement was interrupted, remove the new one"
        return f"repair container {self.name}: {what}"

    def execute(self, engine: Engine) -> None:
        from ..operations.replace_container import repair_replacement

        repair_replacement(engine, self.hidden_id)


@dataclasses.dataclass(frozen=True)
class RunContainer(Step):
    """Run to the end; the facts are `status` (exit code), `output`, and `container` as it was then."""

    name: str
    fresh: bool
    running: bool

    def describe(self) -> str:
        if self.running:
            return f"wait for container {self.name}, which is running already"
        return f"run container {self.name} and wait until it ends"

    def execute(self, engine: Engine) -> dict[str, t.Any]:
        from ..container.logs import read_output
        from ..container.status import observe
        from ..operations.inspect_container import inspect_container
        from ..operations.wait_container import wait_container

        if not self.running:
            start(engine, self.name, self.fresh, awaited=True)
        code = wait_container(engine, self.name)
        record = container_called(engine, self.name)
        output = read_output(engine.paths, record, OUTPUT_LIMIT)
        facts = inspect_container(engine, record, observe(engine, record))
        return {"status": code, "output": output, "container": {**facts, "Output": output}}


def start(engine: Engine, name: str, fresh: bool, awaited: bool = False) -> None:
    """A container that the plan has made goes again if it does not start: the state before is the state
    after.
    """
    from ..operations.remove_container import remove_container
    from ..operations.start_container import start_container

    try:
        start_container(engine, name, awaited=awaited)
    except CoracleError:
        if fresh:
            with collecting([]):
                remove_container(engine, name, volumes=True)
        raise


def container_called(engine: Engine, name: str) -> ContainerRecord:
    from ..container.records import find_container

    record = find_container(engine.records, name)
    if record is None:
        raise NotFound(f"container {name} is gone", "another task has removed it: run the task again")
    return record


def chosen_image(engine: Engine, choice: ImageChoice) -> ImageRecord:
    from ..content.images import find_image
    from ..oci.reference import familiar_name, is_image_id, parse_reference

    wanted = choice.id or choice.name
    image = find_image(engine.records, wanted if is_image_id(wanted) else parse_reference(wanted))
    if image is None:
        raise NotFound(
            f"image {familiar_name(choice.name)} is gone", "another task has removed it: run the task again"
        )
    return image
