# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How a difference in one row of the option table is told, by the kind of the row.

Sizes are told with their unit, sets and maps by what is added, changed and removed, and the values of
environment variables and of secrets not at all.
"""

from __future__ import annotations

import typing as t

from ..container.health import TIMES
from ..container.values import duration_text, size_text
from ..oci.reference import familiar_name
from ..volume.driver_options import without_secrets
from .container_fields import LIST, MAP, OCTAL, SECRETS, SET, SIZE, Field
from .differences import Difference, shown

HIDDEN = "(hidden)"
CHANGED = "(hidden, changed)"


def difference_of(field: Field, before: t.Any, after: t.Any) -> Difference:
    """`before` and `after` are normal forms of the row, or its default."""
    if field.name == "secrets":
        return _of_secrets(field, before, after)
    if field.kind in (MAP, SECRETS):
        return _of_maps(field, before, after)
    if field.kind == SET:
        return _of_sets(field, before, after)
    if field.kind == SIZE:
        before, after = size_text(before), size_text(after)
    if field.kind == OCTAL:
        before, after = f"{before:04o}", f"{after:04o}"
    if field.name in _AS_WRITTEN:
        before, after = (_AS_WRITTEN[field.name](side) for side in (before, after))
    if field.kind == LIST:
        before, after = _texts(field, before), _texts(field, after)
    return Difference(field.name, before, after, how=field.change)


def item_text(field: Field, item: t.Any) -> str:
    """One item of a set as people write it: `/srv:/data:ro`, `nofile:1024:4096`."""
    if not isinstance(item, dict):
        return str(item)
    return _ITEM_TEXTS[field.name](item)


def _volume(item: dict[str, t.Any]) -> str:
    modes = ",".join([*(["ro"] if item["read_only"] else []), *item["options"]])
    return ":".join(part for part in (item["source"], item["target"], modes) if part)


def _mount(item: dict[str, t.Any]) -> str:
    """`image app:1:/srv`; what `volumes` can say too, as there."""
    if item["type"] == "image":
        item = {**item, "source": familiar_name(item["source"]), "read_only": False}
    kind = "" if item["type"] in ("bind", "volume") else f"{item['type']} "
    options = without_secrets(item.get("driver_options", {}))
    extras = [
        *([f"subpath={item['subpath']}"] if "subpath" in item else []),
        *(f"{key}={value}" for key, value in options.items()),
    ]
    return kind + _volume({**item, "options": [*item["options"], *extras]})


def _port(item: dict[str, t.Any]) -> str:
    """`127.0.0.1:8080:80/tcp`, with what was not said left out."""
    first, last = item["host_port"], item["host_port_end"]
    host_port = "" if not last else str(first) if first == last else f"{first}-{last}"
    host_ip = f"[{item['host_ip']}]" if ":" in item["host_ip"] else item["host_ip"]
    host = [host_ip, host_port] if host_ip else [host_port] if host_port else []
    return ":".join([*host, f"{item['container_port']}/{item['protocol']}"])


def _healthcheck(check: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """Times with their units."""
    if check is None:
        return None
    return {name: duration_text(value) if name in TIMES else value for name, value in check.items()}


def _texts(field: Field, items: t.Any) -> t.Any:
    return items if items is None else [item_text(field, item) for item in items]


def _of_sets(field: Field, before: t.Any, after: t.Any) -> Difference:
    then, now = ([item_text(field, item) for item in side or ()] for side in (before, after))
    told = [f"{text} is new" for text in now if text not in then]
    told += [f"{text} is no longer wanted" for text in then if text not in now]
    told = told or ["a password is another one"]
    return Difference(field.name, then, now, f"{field.name}: {', '.join(told)}", field.change)


def _of_maps(field: Field, before: dict[str, str], after: dict[str, str]) -> Difference:
    """Only the keys that differ are told."""
    keys = sorted(key for key in {**before, **after} if before.get(key) != after.get(key))
    told = [f"{key} is {_fate(key, before, after)}" for key in keys]
    sides = [{key: side[key] for key in keys if key in side} for side in (before, after)]
    if field.kind == SECRETS:
        sides = [
            dict.fromkeys(sides[0], HIDDEN),
            {key: CHANGED if key in before else HIDDEN for key in sides[1]},
        ]
    elif len(keys) == 1 and keys[0] in before and keys[0] in after:
        told = [f"{keys[0]} is {shown(before[keys[0]])}, should be {shown(after[keys[0]])}"]
    return Difference(field.name, sides[0], sides[1], f"{field.name}: {', '.join(told)}", field.change)


def _of_secrets(field: Field, before: list[dict[str, t.Any]], after: list[dict[str, t.Any]]) -> Difference:
    """Their names and places. Of the content only that it is another one."""
    then, now = ({secret["name"]: secret for secret in side} for side in (before, after))
    names = sorted(name for name in {**then, **now} if then.get(name) != now.get(name))
    told = ", ".join(f"{name} is {_fate(name, then, now)}" for name in names)
    new = {name for name in names if name in then and name in now}
    new = {name for name in new if then[name]["content"] != now[name]["content"]}
    texts = [_secret(one) + (f" {CHANGED}" if one["name"] in new else "") for one in after]
    return Difference(field.name, list(map(_secret, before)), texts, f"{field.name}: {told}", field.change)


def _secret(secret: dict[str, t.Any]) -> str:
    if "env" in secret:
        return f"{secret['name']}:env={secret['env']}"
    owner = f"{secret['uid']}:{secret['gid']}"
    return f"{secret['name']}:{secret['target']}:{owner}:{secret['mode']}"


def _fate(key: str, before: t.Container[str], after: t.Container[str]) -> str:
    if key not in before:
        return "new"
    return "changed" if key in after else "no longer wanted"


_AS_WRITTEN: dict[str, t.Callable[[t.Any], t.Any]] = {"healthcheck": _healthcheck}

_ITEM_TEXTS: dict[str, t.Callable[[dict[str, t.Any]], str]] = {
    "volumes": _mount,
    "mounts": _mount,
    "volumes_from": lambda item: item["container"] + (":ro" if item["read_only"] else ""),
    "device_read_bps": lambda item: f"{item['path']}:{size_text(item['rate'])}",
    "device_write_bps": lambda item: f"{item['path']}:{size_text(item['rate'])}",
    "device_read_iops": lambda item: f"{item['path']}:{item['rate']}",
    "device_write_iops": lambda item: f"{item['path']}:{item['rate']}",
    "ulimits": lambda item: f"{item['name']}:{item['soft']}:{item['hard']}",
    "published_ports": _port,
    "devices": lambda item: f"{item['path_on_host']}:{item['path_in_container']}:{item['permissions']}",
}
