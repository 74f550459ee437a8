# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`--filter key=value`: several values of one key are alternatives, several keys have to hold together."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import InvalidInput

Filters = dict[str, list[str]]


def add_filter(parser: argparse.ArgumentParser, keys: t.Iterable[str], example: str) -> None:
    """The option as Docker has it; `example` is one that people need: `status=exited`."""
    text = f"Filter output based on conditions ({', '.join(keys)}; for example {example})"
    parser.add_argument("-f", "--filter", action="append", default=[], metavar="filter", help=text)


def parse_filters(texts: t.Iterable[str], keys: t.Collection[str]) -> Filters:
    """InvalidInput for a key that is not among `keys`, with those that are."""
    found: Filters = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip().lower()
        if not equals:
            raise InvalidInput(f"invalid filter {text!r}", "write key=value")
        if key not in keys:
            raise InvalidInput(f"invalid filter {key!r}", f"there are {', '.join(sorted(keys))}")
        found.setdefault(key, []).append(value.strip())
    return found


def labels_match(labels: t.Mapping[str, str], wanted: t.Iterable[str]) -> bool:
    """All of `key` or `key=value`, as Docker has it for labels alone."""
    for text in wanted:
        key, equals, value = text.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True
