# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The keys that leave a container and let it go on: `ctrl-p,ctrl-q` unless the user wants others."""

from __future__ import annotations

import re

from .values import refuse

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"


def parse_detach_keys(text: str, option: str = "detach_keys") -> bytes:
    """`a,ctrl-x,ctrl-@,DEL` as the bytes that a terminal sends; empty: no keys detach.

    Source: the syntax of Docker's `--detach-keys`: a character, or `ctrl-` with one of `a-z@[\\]^_`.
    """
    keys = text.split(",") if text else []
    return bytes(_byte(key, text, option) for key in keys)


def _byte(key: str, text: str, option: str) -> int:
    if key == "DEL":
        return 127
    if re.fullmatch(r"ctrl-[a-z@\[\\\]^_]", key):
        return ord(key[-1].upper()) - ord("@")
    if len(key) == 1 and key.isascii() and key.isprintable():
        return ord(key)
    raise refuse(
        text, option, "is not a sequence of keys", "separate them by commas, for example ctrl-p,ctrl-q"
    )


class KeyWatcher:
    """Looks for the sequence in what is typed. Keys that may be its beginning are held back until the next
    one tells.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """What goes on to the container, and whether the sequence is complete; what follows it is dropped."""
        if not self._keys:
            return typed, False
        seen = self._held + typed
        before, found, _after = seen.partition(self._keys)
        if found:
            self._held = b""
            return before, True
        lengths = range(len(self._keys) - 1, 0, -1)
        held = next((length for length in lengths if seen.endswith(self._keys[:length])), 0)
        self._held = seen[len(seen) - held :]
        return seen[: len(seen) - held], False
