# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What people write about the devices of a container beyond `devices`: how fast it may read and write, rules
of its device control group, and devices by name (cdi.py). Parsers as in values.py.
"""

from __future__ import annotations

import re
import typing as t

from .mount_values import parse_path
from .values import parse_integer, parse_size, parse_texts, refuse

_RULE = r"([acb])\s+(\d{1,7}|\*):(\d{1,7}|\*)\s+([rwm]{1,3})"
_RULE_HINT = 'write type, numbers and permissions, for example "c 189:* rwm"'
_RATE_HINT = "write path and rate, for example {path: /dev/sda, rate: 10m}"

_CDI_NAME = r"[A-Za-z][\w.-]*/[A-Za-z][\w-]*=[A-Za-z0-9][\w.:-]*"
_REQUEST_KEYS = ("driver", "count", "device_ids", "capabilities", "options")
_REQUEST_HINT = (
    "write for example {driver: cdi, device_ids: [nvidia.com/gpu=all]} or {driver: nvidia, count: 1}"
)
_GPU_KINDS = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}
_GPU_CAPABILITIES = ("gpu", "compute", "compat32", "display", "graphics", "ngx", "utility", "video")
_MOST_OF_A_KIND = 256

Rate = dict[str, t.Any]


def parse_byte_rates(value: t.Any, option: str) -> list[Rate]:
    """`[{"path", "rate"}]` by path, bytes per second."""
    return _parse_rates(value, option, parse_size)


def parse_io_rates(value: t.Any, option: str) -> list[Rate]:
    """The same, operations per second."""
    return _parse_rates(value, option, lambda rate, name: parse_integer(rate, name, 1, 2**63 - 1))


def _parse_rates(value: t.Any, option: str, parse: t.Callable[[t.Any, str], int]) -> list[Rate]:
    if not isinstance(value, (list, tuple)):
        raise refuse(value, option, "is not a list", _RATE_HINT)
    rates: dict[str, Rate] = {}
    for item in value:
        if not isinstance(item, dict) or set(item) != {"path", "rate"}:
            raise refuse(item, option, "is not a rate of a device", _RATE_HINT)
        path, rate = parse_path(item["path"], option), parse(item["rate"], option)
        if rate == 0:
            raise refuse(item, option, "lets nothing through", "leave the device out for no limit")
        if rates.setdefault(path, {"path": path, "rate": rate})["rate"] != rate:
            raise refuse(item, option, f"is the second rate for {path}", "keep one of them")
    return [rates[path] for path in sorted(rates)]


def parse_device_rules(value: t.Any, option: str) -> list[str]:
    """`c 189:* rwm`, in order: a later rule adds to an earlier one."""
    rules = []
    for text in parse_texts(value, option):
        match = re.fullmatch(_RULE, text.strip(), re.ASCII)
        if match is None:
            raise refuse(text, option, "is not a rule of a device control group", _RULE_HINT)
        kind, major, minor, letters = match.groups()
        permissions = "".join(letter for letter in "rwm" if letter in letters)
        rules.append(f"{kind} {_number(major)}:{_number(minor)} {permissions}")
    return rules


def _number(text: str) -> str:
    return text if text == "*" else str(int(text))


def is_device_name(text: str) -> bool:
    """`vendor.com/class=name`, and no path."""
    return re.fullmatch(_CDI_NAME, text, re.ASCII) is not None


def parse_device_requests(value: t.Any, option: str) -> list[str]:
    """Names of devices, sorted: `["nvidia.com/gpu=0", "nvidia.com/gpu=1"]`. What Docker leaves to a driver is
    said by name: the first two are `{driver: nvidia, count: 2}`.
    """
    if not isinstance(value, (list, tuple)):
        raise refuse(value, option, "is not a list", _REQUEST_HINT)
    names: set[str] = set()
    for item in value:
        if isinstance(item, str) and is_device_name(item):
            names.add(item)
            continue
        given = item if isinstance(item, dict) else {"": item}
        request = {key: asked for key, asked in given.items() if asked not in (None, "", [], {})}
        if set(request).difference(_REQUEST_KEYS) or not request:
            raise refuse(item, option, "is not a request for devices", _REQUEST_HINT)
        names.update(_requested(request, option))
    return sorted(names)


def _requested(request: dict[str, t.Any], option: str) -> list[str]:
    if "options" in request:
        raise refuse(
            request["options"], option, "are options of a driver, and there is none", "leave them out"
        )
    ids = parse_texts(request.get("device_ids", []), option)
    if "count" in request and ids:
        raise refuse(request["count"], option, "counts what device_ids names", "keep one of them")
    driver = request.get("driver", "cdi" if ids and all(map(is_device_name, ids)) else "nvidia")
    if driver == "cdi":
        wrong = [name for name in ids if not is_device_name(name)]
        if wrong or not ids:
            raise refuse(wrong[0] if wrong else request, option, "is not a name of a device", _REQUEST_HINT)
        return ids
    kind = _gpu_kind(request, driver, option)
    if ids:
        return [name if is_device_name(name) else f"{kind}={name}" for name in ids]
    count = parse_integer(request.get("count", -1), option, -1, _MOST_OF_A_KIND, "-1 means all")
    return [f"{kind}=all"] if count == -1 else [f"{kind}={number}" for number in range(count)]


def _gpu_kind(request: dict[str, t.Any], driver: t.Any, option: str) -> str:
    if driver not in _GPU_KINDS:
        raise refuse(driver, option, "is not a driver here", f"write cdi, {' or '.join(_GPU_KINDS)}")
    for alternative in request.get("capabilities", ()):
        for word in [alternative] if isinstance(alternative, str) else alternative:
            if word not in _GPU_CAPABILITIES:
                raise refuse(word, option, "is not a capability of a GPU", _REQUEST_HINT)
    return _GPU_KINDS[driver]
