# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import hashlib
import io
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    IntegrityError,
    InvalidInput,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci import digest
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.digest import VerifyingReader

CONTENT = bytes(range(256)) * 40
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


def test_a_digest_is_itself() -> None:
    assert digest.parse_digest(DIGEST) == DIGEST == digest.sha256_digest(CONTENT)
    assert digest.hex_of(DIGEST) == DIGEST[7:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST + "\n",
        DIGEST.upper(),
        DIGEST.replace("sha256", "SHA256"),
        "sha256:" + "g" * 64,
        "sha256:../../../../etc/passwd" + "0" * 40,
        "sha512:" + "0" * 128,
        "md5:" + "0" * 32,
        DIGEST[7:],
        None,
        7,
        ["sha256"],
        b"sha256:",
    ],
)
def test_nothing_else_is_one(text: t.Any) -> None:
    assert not digest.is_digest(text)
    with pytest.raises(IntegrityError):
        digest.parse_digest(text)
    with pytest.raises(InvalidInput):
        digest.parse_digest(text, InvalidInput)


def test_another_algorithm_is_named() -> None:
    with pytest.raises(IntegrityError, match="only sha256 digests are supported"):
        digest.parse_digest("sha512:" + "0" * 128)


class OnlyRead:
    """A stream without readinto, that gives at most three bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)
        self.closed = False

    def read(self, amount: int) -> bytes:
        return self._stream.read(min(amount, 3))

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("source", [io.BytesIO, OnlyRead])
@pytest.mark.parametrize("chunk", [1, 7, 4096, len(CONTENT), len(CONTENT) + 1, -1])
def test_right_content_comes_through(source: t.Callable[[bytes], t.Any], chunk: int) -> None:
    reader = VerifyingReader(source(CONTENT), DIGEST, len(CONTENT))
    assert b"".join(iter(lambda: reader.read(chunk), b"")) == CONTENT
    assert reader.verified
    assert reader.read(10) == b""


@pytest.mark.parametrize("source", [io.BytesIO, OnlyRead])
def test_readinto_is_the_same(source: t.Callable[[bytes], t.Any]) -> None:
    reader, buffer, result = VerifyingReader(source(CONTENT), DIGEST, len(CONTENT)), bytearray(1000), b""
    while True:
        count = reader.readinto(buffer)
        if count == 0:
            break
        result += buffer[:count]
    assert result == CONTENT
    assert reader.verified


@pytest.mark.parametrize(
    ("content", "size", "message"),
    [
        (CONTENT[:-1], len(CONTENT), "ends after 10239 of 10240 bytes"),
        (b"", len(CONTENT), "ends after 0 of 10240 bytes"),
        (CONTENT + b"x", len(CONTENT), "longer than the 10240 bytes"),
        (CONTENT, len(CONTENT) - 1, "longer than the 10239 bytes"),
        (CONTENT, len(CONTENT) + 1, "ends after 10240 of 10241 bytes"),
        (CONTENT[:-1] + b"x", len(CONTENT), "does not match its digest"),
        (b"x", 0, "longer than the 0 bytes"),
        (b"", 0, "does not match its digest"),
    ],
)
@pytest.mark.parametrize("use_readinto", [False, True])
def test_wrong_content_never_ends_well(content: bytes, size: int, message: str, use_readinto: bool) -> None:
    reader, buffer = VerifyingReader(io.BytesIO(content), DIGEST, size), bytearray(999)
    with pytest.raises(IntegrityError, match=message):
        list(iter(lambda: reader.readinto(buffer), 0)) if use_readinto else reader.read()
    assert not reader.verified


def test_the_last_bytes_are_not_handed_out_before_the_check() -> None:
    reader = VerifyingReader(io.BytesIO(CONTENT[:-1] + b"x"), DIGEST, len(CONTENT))
    assert reader.read(len(CONTENT) - 1) == CONTENT[:-1]
    with pytest.raises(IntegrityError):
        reader.read(1)


def test_an_empty_blob_has_a_digest_too() -> None:
    reader = VerifyingReader(io.BytesIO(b""), digest.sha256_digest(b""), 0)
    assert reader.read(10) == b""
    assert reader.verified


def test_it_closes_what_it_reads() -> None:
    source = OnlyRead(CONTENT)
    with VerifyingReader(source, DIGEST, len(CONTENT)):
        pass
    assert source.closed
