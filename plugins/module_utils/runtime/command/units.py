# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Times and sizes as Docker writes them for people. Source: github.com/docker/go-units."""

from __future__ import annotations

import time
import typing as t

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_NEVER = ("0001", "1970-01-01T00:00:00")
"""How times begin that are none: Docker's word for it, and what images have that are the same anywhere."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def human_duration(seconds: float) -> str:
    """`About a minute`, `3 hours`: the largest unit alone."""
    whole, minutes, hours = int(seconds), int(seconds / _MINUTE), int(seconds / _HOUR + 0.5)
    if whole < 1:
        return "Less than a second"
    if whole < _MINUTE:
        return _count(whole, "second")
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return _count(minutes, "minute")
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return _count(hours, "hour")
    days = hours // 24
    for bound, length, unit in ((14, 1, "day"), (60, 7, "week"), (730, 30, "month")):
        if days < bound:
            return _count(days // length, unit)
    return _count(days // 365, "year")


def ago(timestamp: str) -> str:
    """`3 hours ago`; `N/A` where there is no time."""
    seconds = seconds_since(timestamp)
    return "N/A" if seconds is None else f"{human_duration(seconds)} ago"


def seconds_since(timestamp: str) -> float | None:
    """From an RFC 3339 time to now, never negative; None for what is no time."""
    moment = seconds_of(timestamp)
    return None if moment is None else max(0.0, time.time() - moment)


def seconds_of(timestamp: str) -> float | None:
    """An RFC 3339 time as seconds since 1970."""
    from ..container.moments import comparable

    text = comparable(timestamp)
    if not text or timestamp.startswith(_NEVER):
        return None
    import datetime

    whole = datetime.datetime.fromisoformat(f"{text[:19]}+00:00").timestamp()
    return whole + float(f"0.{text[20:-1] or 0}")


def local_time(timestamp: str) -> str:
    """`2026-11-24 13:50:01 +0000 UTC`: CreatedAt of `ps` and `images`."""
    moment = seconds_of(timestamp)
    return "N/A" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment))


def human_size(size: float, precision: int = 3) -> str:
    """`4.43MB`: powers of 1000, so many significant digits."""
    return _sized(size, 1000, _DECIMAL, precision)


def binary_size(size: float, precision: int = 4) -> str:
    """`12.36GiB`: powers of 1024, as for memory."""
    return _sized(size, 1024, _BINARY, precision)


def _sized(size: float, base: int, units: t.Sequence[str], precision: int) -> str:
    index = 0
    while size >= base and index < len(units) - 1:
        size /= base
        index += 1
    return f"{size:.{precision}g}{units[index]}"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
