# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a task wants done with a container, besides its description."""

from __future__ import annotations

import typing as t

from ..container.attachments import HOST, attachments_of, fixed_addresses, has_interfaces, shares_network
from ..container.config import ContainerConfig
from ..container.contradictions import check_config
from ..container.sharing import joined_containers
from ..errors import InvalidInput
from .differences import RECREATE, Difference, describe_all

if t.TYPE_CHECKING:
    from ..container.ready import Ready


class Request(t.NamedTuple):
    """The control options of `container`, in normal form.

    `given` are the names of the describing options that the task gives at all. `registry` is a
    RegistryOptions. `renamed_image_counts`: the same image by another name needs a new container.
    """

    name: str
    state: str = "started"
    healthy: bool = False
    healthy_wait_timeout: float = 300.0
    ready: Ready | None = None
    start_first: bool = False
    drain_timeout: float = 10.0
    keep_previous: int | None = None
    rollback: bool = False
    given: frozenset[str] = frozenset()
    new_name: str | None = None
    restart: bool = False
    recreate: bool = False
    paused: bool | None = None
    force_kill: bool = False
    kill_signal: str | None = None
    detach: bool = True
    cleanup: bool = False
    keep_volumes: bool = False
    pull: str = "missing"
    registry: t.Any = None
    comparisons: t.Mapping[str, str] = {}
    renamed_image_counts: bool = False


def check_request(asked: ContainerConfig, request: Request) -> None:
    """Control options that contradict each other, the state, or the rule that only a whole declaration
    replaces.
    """
    state, attached = request.state, not request.detach
    needs = (
        (request.restart and (state != "started" or attached), "restart: true", "state: started, detached"),
        (
            bool(request.paused) and (state in ("absent", "stopped") or attached),
            "paused: true",
            "state: started",
        ),
        (attached and (state != "started" or request.healthy), "detach: false", "state: started"),
        (bool(request.paused) and request.healthy, "state: healthy", "a container that is not paused"),
        (
            attached and asked.restart_policy in ("always", "unless-stopped"),
            "detach: false",
            "a program that may end: restart_policy no or on-failure",
        ),
        (request.cleanup and not attached, "cleanup: true", "detach: false"),
        (bool(request.kill_signal) and not request.force_kill, "kill_signal", "force_kill: true"),
        (request.start_first and attached and state != "absent", "replace: start-first", "detach: true"),
        (request.ready is not None and attached and state != "absent", "ready", "detach: true"),
        (bool(request.paused) and request.ready is not None, "ready", "a container that is not paused"),
        (request.drain_timeout < 0, "drain_timeout", "0 seconds or more"),
        (bool(request.new_name) and state == "absent", "new_name", "another state than absent"),
        (
            request.recreate and (state == "absent" or not asked.image),
            "recreate: true",
            "image, and not state: absent",
        ),
    )
    for wrong, option, needed in needs:
        if wrong:
            raise InvalidInput(f"container {request.name}: {option} needs {needed}")
    _check_beside(asked, request)


def check_whole(config: ContainerConfig, request: Request) -> None:
    """What the container will have, also of what the task does not say itself."""
    check_config(config)
    _check_beside(config, request)


def check_sources(asked: ContainerConfig, request: Request) -> None:
    if request.name in [source["container"] for source in asked.volumes_from or ()]:
        raise InvalidInput(f"container {request.name}: volumes_from names the container itself")
    if request.name in (asked.requires or ()):
        raise InvalidInput(f"container {request.name}: requires names the container itself")
    for option, name in joined_containers(asked).items():
        if request.name == name:
            raise InvalidInput(f"container {request.name}: {option} names the container itself")


def _check_beside(asked: ContainerConfig, request: Request) -> None:
    """With `start_first` two containers of this description run for a while, each with addresses of its own.

    Refused on the day when it is written, not on the day of the first replacement.
    """
    if not request.start_first or request.state == "absent":
        return
    mode, networks = attachments_of(asked)
    for item in networks:
        fixed = [*fixed_addresses(item), *filter(None, [item.get("mac_address")])]
        if fixed:
            raise _needs_itself(request.name, f"{fixed[0]} on network {item['name']} can be that of one only")
    if shares_network(mode):
        raise _needs_itself(request.name, f"with network_mode {mode} both would have the same ports")
    if not has_interfaces(mode) and (asked.published_ports or asked.exposed_ports):
        raise _needs_itself(request.name, f"with network_mode {mode} no port can be led to the new one")
    if mode == HOST and request.ready is not None and not request.ready.arguments:
        raise _needs_itself(
            request.name, f"with network_mode {mode} the old one could answer for the new one"
        )


def _needs_itself(name: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"container {name}: replace: start-first cannot work: {reason}", "choose replace: stop-first"
    )


def check_in_place(name: str, given: t.Collection[str], found: t.Iterable[Difference]) -> None:
    """Without an image nothing is replaced."""
    costly = [difference for difference in found if difference.how == RECREATE]
    if costly or "platform" in given:
        what = describe_all(costly) or "platform is given"
        raise InvalidInput(
            f"container {name}: {what}: that needs a new container",
            "give image, and everything else that the container shall have, to have it replaced",
        )
