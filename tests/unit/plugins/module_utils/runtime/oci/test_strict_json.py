# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci import strict_json

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_json)
def test_honest_json_is_read_as_python_reads_it(value: t.Any) -> None:
    for ascii_only in (True, False):
        raw = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert strict_json.parse_json(raw, "document") == value


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"{} {}", "Extra data"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'"\xff"', "not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (rb'"\ud800"', "not UTF-8"),
        (b'{"a": 1, "a": 1}', "same key appears twice"),
        (rb'{"a": {"b": 1, "\u0062": 2}}', "same key appears twice"),
        (b"NaN", "NaN is not a number"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b"1e999", "number is too large"),
        (b"9" * 33, "too many digits"),
        (b"9" * 1_000_000, "too many digits"),
        (b"0." + b"9" * 1_000_000, "number is too large"),
        (b"[" * 200_001, "has more than 200000 parts"),
        (b"[" + b"{}," * 200_000 + b"{}]", "has more than 200000 parts"),
        (b"[" * 200_000, "nested too deeply|Expecting value"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b"[" * 33 + b"]" * 33, "nested too deeply"),
    ],
)
def test_what_readers_disagree_about_is_refused(raw: bytes, cause: str) -> None:
    with pytest.raises(IntegrityError, match=f"document .*(?:{cause})"):
        strict_json.parse_json(raw, "document")


def test_the_depth_that_is_allowed() -> None:
    assert strict_json.parse_json(b"[" * 32 + b"]" * 32, "document")


def test_the_size_is_bounded() -> None:
    with pytest.raises(IntegrityError, match="manifest is larger than 10 bytes"):
        strict_json.parse_json(b'"0123456789"', "manifest", 10)


def test_an_object_is_wanted() -> None:
    with pytest.raises(IntegrityError, match="token response is not a JSON object"):
        strict_json.parse_json_object(b"[]", "token response")


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(raw: bytes) -> None:
    try:
        strict_json.parse_json(raw, "document")
    except CoracleError:
        pass


@given(_json)
def test_canonical_bytes_do_not_depend_on_order(value: t.Any) -> None:
    raw = strict_json.dump_canonical({"a": value, "b": 1})
    assert raw == strict_json.dump_canonical({"b": 1, "a": value})
    assert strict_json.parse_json(raw, "document") == {"a": value, "b": 1}
