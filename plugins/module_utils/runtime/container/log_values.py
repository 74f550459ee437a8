# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the output of a container goes, and how much of it is kept. Parsers as in values.py.

k8s-file    files below the state directory (log_segments.py), as Docker's `json-file` and `local`
journald    the journal of systemd
none        nowhere
"""

from __future__ import annotations

import typing as t

from ..errors import Conflict, HostNotReady
from .log_segments import SEGMENT_BYTES, SEGMENTS, Limits
from .values import UNLIMITED, parse_integer, parse_size, parse_text, refuse, size_text

if t.TYPE_CHECKING:
    from .config import ContainerConfig
    from .records import ContainerRecord

FILE, JOURNALD, NONE = "k8s-file", "journald", "none"
_SPELLINGS = {FILE: FILE, "json-file": FILE, "local": FILE, JOURNALD: JOURNALD, NONE: NONE}
_SIZE, _FILES, _TAG = "max-size", "max-file", "tag"
_NEVER_FULL = 256 << 20
"""Bytes of one file where there is no limit: old ones can still be dropped when one is set."""
_SMALLEST = 16 << 10  # twice what conmon writes at once
_JOURNAL = "/run/systemd/journal/socket"
_JOURNAL_LIBRARY = b"libsystemd.so"


def parse_log_driver(value: t.Any, option: str) -> str:
    text = parse_text(value, option)
    if text not in _SPELLINGS:
        hint = "write k8s-file (or json-file), journald or none; log shippers read the first two"
        raise refuse(value, option, "is not a log driver of this engine", hint)
    return _SPELLINGS[text]


def parse_log_options(value: t.Any, option: str) -> dict[str, str] | None:
    """`{"max-size": "20m", "max-file": "5", "tag": "web"}`; what is the default anyway is left out."""
    if not isinstance(value, dict):
        raise refuse(value, option, "is not a dictionary", 'write for example {max-size: "10m", max-file: 3}')
    wrong = sorted(map(str, set(value).difference((_SIZE, _FILES, _TAG))))
    if wrong:
        raise refuse(wrong[0], option, "is unknown", f"known: {_SIZE}, {_FILES} and, for journald, {_TAG}")
    parsed: dict[str, str] = {}
    if value.get(_SIZE) is not None:
        size = _parse_file_size(value[_SIZE], f"{option}: {_SIZE}")
        parsed.update({} if size == SEGMENT_BYTES else {_SIZE: "-1" if size < 0 else str(size_text(size))})
    if value.get(_FILES) is not None:
        files = parse_integer(value[_FILES], f"{option}: {_FILES}", 1, 1000)
        parsed.update({} if files == SEGMENTS else {_FILES: str(files)})
    if value.get(_TAG) is not None:
        parsed[_TAG] = parse_text(value[_TAG], f"{option}: {_TAG}")
        if "{{" in parsed[_TAG]:
            raise refuse(value[_TAG], f"{option}: {_TAG}", "is a template", "write the text itself")
    return parsed or None


def _parse_file_size(value: t.Any, option: str) -> int:
    if str(value).strip() in ("-1", "unlimited"):
        return UNLIMITED
    size = parse_size(value, option)
    if size < _SMALLEST:
        raise refuse(value, option, "is too little", 'give at least "16k", or -1 for no limit')
    return size


def limits_of_log(config: ContainerConfig) -> Limits:
    options = config.log_options or {}
    if options.get(_SIZE) == "-1":
        return Limits(_NEVER_FULL, 0)
    size = parse_size(options[_SIZE], _SIZE) if _SIZE in options else SEGMENT_BYTES
    return Limits(size, int(options.get(_FILES, SEGMENTS)))


def driver_of(config: ContainerConfig) -> str:
    return config.log_driver or FILE


def check_journal(conmon: str) -> None:
    """HostNotReady unless conmon (the path of the program) can write to a journal that is there."""
    import os

    with open(conmon, "rb") as file:
        if _JOURNAL_LIBRARY not in file.read():
            raise HostNotReady(
                f"log_driver: {conmon} was built without journald", "install another one, or use k8s-file"
            )
    if not os.path.exists(_JOURNAL):
        raise HostNotReady(
            "log_driver: systemd-journald does not run on this host", "start it, or use k8s-file"
        )


def check_readable(record: ContainerRecord) -> None:
    """Conflict for a container whose output is not with us."""
    driver = driver_of(record.config)
    if driver == NONE:
        raise Conflict(
            f"container {record.name} has no log: its log_driver is none",
            "choose k8s-file to have its output kept",
        )
    if driver == JOURNALD:
        raise Conflict(
            f"the log of container {record.name} is in the journal of the host",
            f"read it there: journalctl CONTAINER_ID_FULL={record.id}",
        )
