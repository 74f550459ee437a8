# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How strictly options are compared, where a task says so.

    strict               what is asked for and nothing else; the rule where nothing is said
    ignore               what the container has is right, also for the one that takes its place
    allow_more_present   of lists, sets and dictionaries: more than is asked for is right, too. In a set or a
                         dictionary it stays when the rest changes

`*` stands for all options that are not named. The words are those of `docker_container`.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..container.config import ContainerConfig
from ..container.values import refuse
from ..errors import InvalidInput
from .container_fields import FIELDS, LIST, MAP, SECRETS, SET, STORAGE, Field

STRICT, IGNORE, MORE = "strict", "ignore", "allow_more_present"
EVERYTHING = "*"
IMAGE = "image"

_COLLECTIONS = (LIST, MAP, SECRETS, SET)
_ROWS = {field.name: field for field in FIELDS}


def parse_comparisons(value: t.Any, option: str) -> dict[str, str]:
    """Words by option; InvalidInput for an option that describes nothing, or a word that does not fit."""
    if not isinstance(value, dict):
        raise refuse(value, option, "is not a dictionary", "write for example {env: allow_more_present}")
    for name, word in value.items():
        if name not in (EVERYTHING, IMAGE) and name not in _ROWS:
            raise InvalidInput(
                f"{option}: {name!r} is not an option that describes a container",
                "name one, or * for all of them",
            )
        allowed = (STRICT, IGNORE, MORE) if _is_collection(name) else (STRICT, IGNORE)
        if word not in allowed:
            raise refuse(word, f"{option}: {name}", "is not possible", f"write {' or '.join(allowed)}")
    return dict(value)


def relaxed(then: ContainerConfig, now: ContainerConfig, comparisons: t.Mapping[str, str]) -> ContainerConfig:
    """What is asked for now, with what the container has where that is right as well."""
    if not comparisons:
        return now
    words = [(field, word_for(field.name, comparisons)) for field in FIELDS]
    kept = {
        field.name: getattr(then, field.name) for field, word in words if _is_right(field, then, now, word)
    }
    more = {
        field.name: _with_more(field, then, now)
        for field, word in words
        if word == MORE and field.name not in kept
    }
    return dataclasses.replace(now, **kept, **more)


def word_for(name: str, comparisons: t.Mapping[str, str]) -> str:
    return comparisons.get(name) or comparisons.get(EVERYTHING, STRICT)


def _is_collection(name: str) -> bool:
    return name in _ROWS and _ROWS[name].kind in _COLLECTIONS


def _is_right(field: Field, then: ContainerConfig, now: ContainerConfig, word: str) -> bool:
    if word == IGNORE:
        return True
    return word == MORE and _holds(field.value_in(then), field.value_in(now))


def _with_more(field: Field, then: ContainerConfig, now: ContainerConfig) -> t.Any:
    """What is wanted, and what is present besides. Of a list nobody knows where the rest belongs."""
    present, wanted = field.value_in(then), field.value_in(now)
    if not present or field.kind == LIST:
        return wanted
    if isinstance(wanted, dict):
        return dict(sorted({**present, **wanted}.items()))
    taken = _targets(now) if field.name in STORAGE else ()
    rest = [item for item in present if not (isinstance(item, dict) and item.get("target") in taken)]
    if field.name == "networks":  # the first of them counts
        names = [item["name"] for item in wanted]
        return [*wanted, *(item for item in rest if item["name"] not in names)]
    items = {_identity(item): item for item in (*rest, *wanted)}
    return [items[identity] for identity in sorted(items)]


def _identity(item: t.Any) -> t.Any:
    """What an item of a set is about, which is also how its normal form is sorted."""
    if isinstance(item, str):
        number, slash, protocol = item.partition("/")
        return (int(number), protocol) if slash and number.isdigit() else (0, item)
    if isinstance(item, list):
        return tuple(item)
    if "container_port" in item:
        from ..container.port_values import port_key

        return port_key(item)
    return next(item[key] for key in ("path_in_container", "path", "name", "target") if key in item)


def _targets(config: ContainerConfig) -> set[str]:
    """Where something is to be mounted, however that is written."""
    mounts = [*(config.volumes or ()), *(config.mounts or ())]
    return {mount["target"] for mount in mounts}.union(config.tmpfs or ())


def _holds(present: t.Any, wanted: t.Any) -> bool:
    """Is everything that is wanted present? A list has to be there in its order."""
    if not wanted:
        return True
    if not present:
        return False
    if isinstance(wanted, dict):
        return all(key in present and present[key] == value for key, value in wanted.items())
    rest = iter(present)
    return all(any(item == other for other in rest) for item in wanted)
