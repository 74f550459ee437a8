# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.detach_keys import (
    DEFAULT_DETACH_KEYS,
    KeyWatcher,
    parse_detach_keys,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

KEYS = b"\x10\x11"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (DEFAULT_DETACH_KEYS, KEYS),
        ("", b""),
        ("a", b"a"),
        ("ctrl-a,d", b"\x01d"),
        ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x00\x1b\x1c\x1d\x1e\x1f"),
        ("DEL", b"\x7f"),
    ],
)
def test_keys(text: str, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-P", "ctrl-p,", "ctrl-1", "ab", "\x10", "é", "ctrl-p ctrl-q"])
def test_no_keys(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a sequence of keys"):
        parse_detach_keys(text)


@pytest.mark.parametrize(
    ("keys", "typed", "passed", "leaves"),
    [
        (KEYS, [b"abc"], b"abc", False),
        (KEYS, [b"ab\x10\x11cd"], b"ab", True),
        (KEYS, [b"ab\x10", b"\x11"], b"ab", True),
        (KEYS, [b"\x10", b"a"], b"\x10a", False),
        (KEYS, [b"\x10", b"\x10", b"\x11"], b"\x10", True),
        (KEYS, [b"\x10"], b"", False),
        (b"aab", [b"aaab"], b"a", True),
        (b"aab", [b"a", b"a", b"a", b"b"], b"a", True),
        (b"", [b"\x10\x11"], b"\x10\x11", False),
    ],
)
def test_typing(keys: bytes, typed: list[bytes], passed: bytes, leaves: bool) -> None:
    watcher = KeyWatcher(keys)
    answers = [watcher.feed(piece) for piece in typed]
    assert b"".join(content for content, _leaves in answers) == passed
    assert [left for _content, left in answers] == [False] * (len(typed) - 1) + [leaves]


@given(st.binary(min_size=1, max_size=4), st.lists(st.binary(max_size=9), max_size=9))
def test_nothing_is_lost_however_it_is_cut(keys: bytes, pieces: list[bytes]) -> None:
    """The answer depends on what was typed, not on how it came; only a beginning of the keys may wait."""
    watcher = KeyWatcher(keys)
    whole = b"".join(pieces)
    passed = b""
    for piece in pieces:
        content, leaves = watcher.feed(piece)
        passed += content
        if leaves:
            assert passed == whole[: whole.index(keys)]
            return
    assert keys not in whole
    held = whole[len(passed) :]
    assert whole.startswith(passed)
    assert keys.startswith(held)
    assert len(held) < len(keys)
