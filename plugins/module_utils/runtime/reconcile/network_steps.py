# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The steps of a plan for a network: what each says, and which verb it calls."""

from __future__ import annotations

import dataclasses
import typing as t

from .steps import Step

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..network.options import NetworkOptions


@dataclasses.dataclass(frozen=True)
class CreateNetwork(Step):
    name: str
    options: NetworkOptions

    def describe(self) -> str:
        return f"create network {self.name}"

    def execute(self, engine: Engine) -> None:
        from ..operations.create_network import create_network

        create_network(engine, self.name, self.options)


@dataclasses.dataclass(frozen=True)
class UpdateNetwork(Step):
    name: str
    options: NetworkOptions
    reason: str

    def describe(self) -> str:
        return f"update network {self.name}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.update_network import update_network

        update_network(engine, self.name, self.options)


@dataclasses.dataclass(frozen=True)
class ReplaceNetwork(Step):
    """Running containers stay what they are, but for their interfaces on it."""

    name: str
    options: NetworkOptions
    reason: str

    def describe(self) -> str:
        return f"replace network {self.name}: {self.reason}"

    def execute(self, engine: Engine) -> None:
        from ..operations.replace_network import replace_network

        replace_network(engine, self.name, self.options)


@dataclasses.dataclass(frozen=True)
class FinishNetwork(Step):
    """A task that changed it was killed half-way."""

    name: str

    def describe(self) -> str:
        return f"finish the change of network {self.name}: whoever began it did not get to the end"

    def execute(self, engine: Engine) -> None:
        from ..operations.replace_network import finish_network

        finish_network(engine, self.name)


@dataclasses.dataclass(frozen=True)
class RemoveNetwork(Step):
    name: str

    def describe(self) -> str:
        return f"remove network {self.name}"

    def execute(self, engine: Engine) -> None:
        from ..operations.remove_network import remove_network

        remove_network(engine, self.name)


@dataclasses.dataclass(frozen=True)
class ConnectContainer(Step):
    network: str
    container: str

    def describe(self) -> str:
        return f"connect container {self.container} to network {self.network}"

    def execute(self, engine: Engine) -> None:
        from ..operations.connect_network import connect_network

        connect_network(engine, self.container, self.network)


@dataclasses.dataclass(frozen=True)
class DisconnectContainer(Step):
    network: str
    container: str

    def describe(self) -> str:
        return f"disconnect container {self.container} from network {self.network}"

    def execute(self, engine: Engine) -> None:
        from ..operations.disconnect_network import disconnect_network

        disconnect_network(engine, self.container, self.network)
