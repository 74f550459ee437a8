# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Points in time as people write them for `until` and `since`, brought to the form that our records have."""

from __future__ import annotations

import datetime
import re
import time
import typing as t

from .status import rfc3339
from .values import parse_duration, refuse

_DATE = r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(\.\d{1,9})?)?)?"
_ZONE = r"(Z|[+-]\d\d:\d\d)?"
_UNIX = r"(\d{1,12})(\.\d{1,9})?"
_BILLION = 10**9
_EXAMPLES = "write for example 24h, 2026-11-24T13:00:00Z, or seconds since 1970"


def parse_moment(value: t.Any, option: str, now: int | None = None) -> str:
    """RFC 3339 in UTC with nine digits, which sorts as text.

    From a time of day (`2026-11-24T13:00:00+01:00`, parts may be left out; without a zone it is the host's
    own), seconds since 1970, or a duration before `now` (nanoseconds since 1970; default: now), like `90m`.
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    if isinstance(value, datetime.datetime):
        text = value.isoformat()
    date = re.fullmatch(_DATE + _ZONE, text, re.ASCII)
    unix = re.fullmatch(_UNIX, text, re.ASCII)
    try:
        if date:
            return rfc3339(_from_date(date))
        if unix:
            return rfc3339(int(unix[1]) * _BILLION + _nanoseconds(unix[2]))
    except (ValueError, OverflowError):
        raise refuse(value, option, "is not a time", _EXAMPLES) from None
    if re.fullmatch(r"[\d.]+[a-z].*", text, re.ASCII):
        before = parse_duration(text, option)
        return rfc3339(max(0, (time.time_ns() if now is None else now) - before))
    raise refuse(value, option, "is not a time", _EXAMPLES)


def comparable(timestamp: str) -> str:
    """An RFC 3339 time of an image or a record in the form that `parse_moment` gives; empty if it is none."""
    match = re.fullmatch(_DATE + _ZONE, timestamp.strip(), re.ASCII)
    try:
        return rfc3339(_from_date(match)) if match else ""
    except (ValueError, OverflowError):
        return ""


def nanoseconds_of(timestamp: str) -> int:
    """Since 1970, of a time in the form that `parse_moment` gives."""
    match = re.fullmatch(_DATE + _ZONE, timestamp, re.ASCII)
    return _from_date(match) if match else 0


def _from_date(match: re.Match[str]) -> int:
    day, minute, second, fraction, zone = match.groups()
    text = f"{day}T{minute or '00:00'}:{second or '00'}{'+00:00' if zone == 'Z' else zone or ''}"
    moment = datetime.datetime.fromisoformat(text).astimezone(datetime.timezone.utc)
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return max(0, (since.days * 86400 + since.seconds) * _BILLION) + _nanoseconds(fraction)


def _nanoseconds(fraction: str | None) -> int:
    return int((fraction or ".0")[1:].ljust(9, "0"))
