# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`volumes`, `mounts` and `tmpfs` say the same things in three ways: what moves from one to another has not
changed.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..container.config import ContainerConfig

Item = dict[str, t.Any]

_FOR_MAKING = ("labels", "create")
"""What only matters when a volume or a directory is made: no reason for another container."""


def aligned(then: ContainerConfig, now: ContainerConfig) -> tuple[ContainerConfig, ContainerConfig]:
    """Both sides with the same item in the same option: that in which it is written now."""
    old, new = _items(then), _items(now)
    places = {
        (target, item["type"]): option for option, items in new.items() for target, item in items.items()
    }
    moved: dict[str, dict[str, Item]] = {option: {} for option in old}
    for option, items in old.items():
        for target, item in items.items():
            moved[places.get((target, item["type"]), option)][target] = item
    return _with(then, moved), _with(now, new)


def _items(config: ContainerConfig) -> dict[str, dict[str, Item]]:
    """By option and target, in the form of `mounts`, without what does not count."""
    tmpfs = {
        target: {
            "type": "tmpfs",
            "source": "",
            "target": target,
            "read_only": False,
            "options": options.split(",") if options else [],
        }
        for target, options in (config.tmpfs or {}).items()
    }
    return {
        "volumes": {item["target"]: _bare(item) for item in config.volumes or ()},
        "mounts": {item["target"]: _bare(item) for item in config.mounts or ()},
        "tmpfs": tmpfs,
    }


def _bare(item: Item) -> Item:
    return {key: value for key, value in item.items() if key not in _FOR_MAKING}


def _with(config: ContainerConfig, items: dict[str, dict[str, Item]]) -> ContainerConfig:
    tmpfs = {target: ",".join(item["options"]) for target, item in sorted(items["tmpfs"].items())}
    return dataclasses.replace(
        config,
        volumes=[items["volumes"][target] for target in sorted(items["volumes"])],
        mounts=[items["mounts"][target] for target in sorted(items["mounts"])],
        tmpfs=tmpfs,
    )
