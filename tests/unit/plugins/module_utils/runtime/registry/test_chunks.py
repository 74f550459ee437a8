# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.chunks import ChunkedBody


def read(raw: bytes, size: int = 10) -> bytes:
    body, buffer, content = ChunkedBody(io.BytesIO(raw)), memoryview(bytearray(size)), b""
    while True:
        count = body.readinto(buffer)
        content += buffer[:count]
        if count == 0:
            assert body.at_end
            return content


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"4\r\ndata\r\n0\r\n\r\n", b"data"),
        (b"4\ndata\n0\n\n", b"data"),
        (b"4;name=value\r\ndata\r\nA \r\n0123456789\r\n000\r\n\r\n", b"data0123456789"),
        (b"1\r\nx\r\n0\r\nTrailer: yes\r\nMore: no\r\n\r\nnot ours", b"x"),
    ],
)
def test_bodies(raw: bytes, content: bytes) -> None:
    assert read(raw) == content


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\nx\r\n",
        b"0x1\r\nx\r\n",
        b"1_0\r\n",
        b"f" * 16 + b"\r\n",
        b"1" * 300,
        b"1;" + b"x" * 300 + b"\r\n",
        b"1\r\nxx\r\n0\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * 100,
    ],
)
def test_malformed_and_endless(raw: bytes) -> None:
    with pytest.raises(ValueError):
        read(raw)


@pytest.mark.parametrize(
    "raw", [b"", b"4", b"4\r\n", b"4\r\nda", b"4\r\ndata", b"4\r\ndata\r\n", b"0\r\n", b"0\r\nX: y\r\n"]
)
def test_cuts(raw: bytes) -> None:
    with pytest.raises(ConnectionError):
        read(raw)


@given(st.lists(st.binary(min_size=1, max_size=50)), st.integers(1, 60))
def test_what_was_cut_into_chunks_comes_out_whole(chunks: list[bytes], size: int) -> None:
    raw = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert read(raw, size) == b"".join(chunks)
