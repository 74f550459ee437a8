# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`network_mode`, `networks`, `networks_cli_compatible`, `mac_address` and `links` say together how a
container is connected: what is written in another one of them has not changed.

From one network to another a running container moves as it is; from and to the network of the host, of
another container, or none, it takes a new one.
"""

from __future__ import annotations

import typing as t

from ..container.attachments import Attachments, Item, attachments_of, has_interfaces
from ..container.config import ContainerConfig
from .differences import LIVE, RECREATE, Difference, shown


def connection_differences(then: ContainerConfig, now: ContainerConfig) -> list[Difference]:
    """One at most."""
    before, after = attachments_of(then), attachments_of(now)
    if not (has_interfaces(before.mode) and has_interfaces(after.mode)):
        return [] if before.mode == after.mode else [_of_modes(then, now, before, after)]
    old, new = _by_name(before), _by_name(after)
    if old != new:
        told = [*_told(old, new)]
        return [Difference("networks", _texts(before), _texts(after), f"networks: {', '.join(told)}", LIVE)]
    if before.networks[0] != after.networks[0]:
        return [Difference("network_mode", before.mode, after.mode, how=LIVE)]
    return []


def _of_modes(
    then: ContainerConfig, now: ContainerConfig, before: Attachments, after: Attachments
) -> Difference:
    """Under the name of the option that says it."""
    by_networks = then.network_mode is None and now.network_mode is None
    field = "networks" if by_networks else "network_mode"
    reason = f"network_mode is {before.mode}, should be {after.mode}"
    return Difference(field, before.mode, after.mode, reason, RECREATE)


def _by_name(attachments: Attachments) -> dict[str, Item]:
    return {item["name"]: item for item in attachments.networks}


def _texts(attachments: Attachments) -> list[str]:
    """As people write them: `web (ipv4_address 192.0.2.5)`."""
    texts = []
    for item in attachments.networks:
        words = [f"{key} {shown(content)}" for key, content in item.items() if key != "name"]
        texts.append(item["name"] + (f" ({', '.join(words)})" if words else ""))
    return texts


def _told(old: dict[str, Item], new: dict[str, Item]) -> t.Iterator[str]:
    for name in new:
        if name not in old:
            yield f"{name} is new"
    for name, item in old.items():
        if name not in new:
            yield f"{name} is no longer wanted"
            continue
        for key in sorted({*item, *new[name]}):
            before, after = item.get(key), new[name].get(key)
            if before != after:
                yield f"{key} on {name} is {shown(before)}, should be {shown(after)}"


def lost_networks(asked: ContainerConfig, there: t.Callable[[], list[str]]) -> list[Difference]:
    """Networks that a container has asked for, and that something else has disconnected it from. `there` are
    those that it is on.
    """
    names = [item["name"] for item in attachments_of(asked).networks]
    if not names:
        return []
    found = there()
    lost = [name for name in names if name not in found]
    reason = f"networks: it is not connected to {', '.join(lost)}"
    return [Difference("networks", found, names, reason, LIVE)] if lost else []
