# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The steps of a plan for a volume: what each says, and which verb it calls."""

from __future__ import annotations

import dataclasses
import typing as t

from .steps import Step

if t.TYPE_CHECKING:
    from ..engine import Engine


@dataclasses.dataclass(frozen=True)
class CreateVolume(Step):
    name: str
    labels: t.Mapping[str, str]
    driver_options: t.Mapping[str, str]

    def describe(self) -> str:
        return f"create volume {self.name}"

    def execute(self, engine: Engine) -> None:
        from ..operations.create_volume import create_volume

        create_volume(engine, self.name, self.labels, self.driver_options)


@dataclasses.dataclass(frozen=True)
class UpdateVolume(Step):
    name: str
    labels: t.Mapping[str, str]
    reason: str

    def describe(self) -> str:
        return f"update volume {self.name}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.update_volume import update_volume

        update_volume(engine, self.name, self.labels)


@dataclasses.dataclass(frozen=True)
class RecreateVolume(Step):
    """What the volume has is lost, unless it lies elsewhere."""

    name: str
    labels: t.Mapping[str, str]
    driver_options: t.Mapping[str, str]
    reason: str

    def describe(self) -> str:
        return f"recreate volume {self.name}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.remove_volume import recreate_volume

        recreate_volume(engine, self.name, self.labels, self.driver_options)


@dataclasses.dataclass(frozen=True)
class RemoveVolume(Step):
    name: str

    def describe(self) -> str:
        return f"remove volume {self.name}"

    def execute(self, engine: Engine) -> None:
        from ..operations.remove_volume import remove_volume

        remove_volume(engine, self.name)
