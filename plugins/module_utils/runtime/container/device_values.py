# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What people write about the devices of a container beyond `devices`: how fast it may read and write, and
rules of its device control group. Parsers as in values.py.
"""

from __future__ import annotations

import re
import typing as t

from .mount_values import parse_path
from .values import parse_integer, parse_size, parse_texts, refuse

_RULE = r"([acb])\s+(\d{1,7}|\*):(\d{1,7}|\*)\s+([rwm]{1,3})"
_RULE_HINT = 'write type, numbers and permissions, for example "c 189:* rwm"'
_RATE_HINT = "write path and rate, for example {path: /dev/sda, rate: 10m}"

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
