# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""JSON from strangers: bounded, UTF-8, without duplicate keys, without depth, without numbers that eat the
CPU.

RFC 8259 leaves duplicate keys, huge numbers and lone surrogates to the reader, and readers differ: two tools
then see two different documents under one digest. Here each of them is an `IntegrityError`.
"""

from __future__ import annotations

import json
import typing as t

from ..errors import IntegrityError

MAX_DOCUMENT = 4 << 20
MAX_DEPTH = 32
MAX_PARTS = 200_000
"""Objects and lists in one document. Each costs up to 300 bytes of memory, and only 3 bytes of text."""
_MAX_NUMBER_LENGTH = 32


def parse_json(raw: bytes, what: str, limit: int = MAX_DOCUMENT) -> t.Any:
    """The value of `raw`. `what` ("manifest", "token response") begins every complaint."""
    if len(raw) > limit:
        raise IntegrityError(f"{what} is larger than {limit} bytes")
    if raw.count(b"{") + raw.count(b"[") > MAX_PARTS:
        raise IntegrityError(f"{what} has more than {MAX_PARTS} parts")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_number,
            parse_int=_integer,
            parse_float=_real,
        )
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise IntegrityError(f"{what} is nested too deeply") from None
    except (ValueError, MemoryError) as error:
        raise IntegrityError(f"{what} is not valid JSON: {_shorten(error)}") from None
    _refuse_depth(value, what)
    return value


def parse_json_object(raw: bytes, what: str, limit: int = MAX_DOCUMENT) -> dict[str, t.Any]:
    value = parse_json(raw, what, limit)
    if not isinstance(value, dict):
        raise IntegrityError(f"{what} is not a JSON object")
    return value


def dump_canonical(value: t.Any) -> bytes:
    """The same bytes for the same value, always: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _shorten(error: BaseException) -> str:
    if isinstance(error, UnicodeError):
        return "it is not UTF-8"
    return str(error)[:200] or type(error).__name__


def _unique_keys(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("the same key appears twice in one object")
    return result


def _refuse_number(text: str) -> t.NoReturn:
    raise ValueError(f"{text[:20]} is not a number in JSON")


def _integer(text: str) -> int:
    if len(text) > _MAX_NUMBER_LENGTH:
        raise ValueError("a number has too many digits")
    return int(text)


def _real(text: str) -> float:
    value = float(text) if len(text) <= _MAX_NUMBER_LENGTH else float("inf")
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


def _refuse_depth(value: t.Any, what: str) -> None:
    level = [value]
    for _depth in range(MAX_DEPTH):
        level = [child for item in level for child in _containers(item)]
        if not level:
            return
    raise IntegrityError(f"{what} is nested too deeply")


def _containers(item: t.Any) -> t.Iterator[t.Any]:
    children: t.Iterable[t.Any] = (
        item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    )
    return (child for child in children if isinstance(child, (dict, list)))
