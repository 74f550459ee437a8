# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Answers without end: every one is given up in bounded time and memory (security.md B6).

Each pull is a process of its own, which says how much memory it has ever had.
"""

from __future__ import annotations

import functools
import json
import pathlib
import socket
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.registry import hostile
from ansible_collections.coracle.engine.tests.integration.registry.hostile import (
    Reply,
    Request,
    Server,
    Site,
    blob_path,
    encode,
    manifest_path,
)

pytestmark = pytest.mark.unprivileged

ROOT = pathlib.Path(__file__).resolve().parents[3]
MEMORY = 64 << 20
PULL = """
import json, re, sys
sys.path.insert(0, sys.argv[1] + "/tests")
import conftest
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions
from ansible_collections.coracle.engine.tests.integration.registry.hostile import pull
try:
    pull(sys.argv[2], RegistryOptions(timeout=1.0, retries=0, username="ann", password="hunter2-XYZ"))
    message = ""
except CoracleError as error:
    message = str(error)
print(json.dumps([message, int(re.search("VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1]) * 1024]))
"""


def _flood(head: bytes, chunk: bytes) -> Reply:
    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(chunk)

    return Reply(script=script)


OK = b"HTTP/1.1 200 OK\r\n"
MEGABYTE = b" " * (1 << 20)
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FLOODS: dict[str, t.Callable[[], Reply]] = {
    "no length": lambda: _flood(OK + b"\r\n", MEGABYTE),
    "a huge length": lambda: _flood(OK + b"Content-Length: 1000000000000\r\n\r\n", MEGABYTE),
    "chunks": lambda: _flood(CHUNKED, b"100000\r\n" + MEGABYTE + b"\r\n"),
    "one huge chunk": lambda: _flood(CHUNKED + b"ffffffffffff\r\n", MEGABYTE),
    "a trailer": lambda: _flood(CHUNKED + b"0\r\n", b"X: y\r\n" * 10_000),
    "headers": lambda: _flood(OK, b"X: y\r\n" * 10_000),
    "one header": lambda: _flood(OK + b"X: ", MEGABYTE),
    "continues": lambda: _flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "a status line": lambda: _flood(b"", MEGABYTE),
}


@pytest.mark.parametrize("where", ["manifest", "configuration", "token", "error"])
@pytest.mark.parametrize("kind", sorted(FLOODS))
def test_floods_are_given_up(kind: str, where: str) -> None:
    with Server() as server:
        site = Site(server)
        flood = FLOODS[kind]()
        if where == "token":
            challenge = {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token"'}
            site.route(manifest_path("1"), Reply(401, challenge))
            site.route("/token", flood)
        elif where == "error":
            site.route(manifest_path("1"), functools.partial(_as_error, flood))
        else:
            site.route(manifest_path("1") if where == "manifest" else blob_path(site.blobs[0]), flood)
        _assert_bounded(server.host)


def _as_error(flood: Reply, _request: Request) -> Reply:
    """The same flood, but as the body of a refusal."""

    def script(connection: socket.socket) -> None:
        class Rewriting:
            def sendall(self, data: bytes) -> None:
                connection.sendall(data.replace(b"200 OK", b"403 No"))

        if flood.script:
            flood.script(t.cast(socket.socket, Rewriting()))

    return Reply(script=script)


@pytest.mark.parametrize(
    "document",
    [
        b"[" + b"[]," * 1_390_000 + b"[]]",
        b"[" + b"{}," * 1_390_000 + b"{}]",
        b"[" + b'"aa",' * 830_000 + b'"aa"]',
        b"{" + b",".join(b'"%x":{}' % number for number in range(350_000)) + b"}",
        b'{"a":' * 690_000,
    ],
    ids=["lists", "objects", "texts", "keys", "depth"],
)
def test_json_that_is_larger_in_memory(document: bytes) -> None:
    with Server() as server:
        site = Site(server)
        site.route(manifest_path("1"), Reply(headers={"Content-Type": hostile.INDEX_TYPE}, body=document))
        _assert_bounded(server.host, 160 << 20)


def test_a_huge_index() -> None:
    with Server() as server:
        site = Site(server)
        site.publish_index(encode({**site.index, "manifests": site.index["manifests"] * 8000}))
        _assert_bounded(server.host)


def _assert_bounded(host: str, memory: int = MEMORY) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PULL, str(ROOT), host], capture_output=True, check=True, timeout=120, text=True
    )
    message, peak = json.loads(done.stdout)
    assert message.isprintable()
    assert message
    assert peak < memory
    assert time.monotonic() - started < 60
