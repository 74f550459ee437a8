# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP proxy that keeps a list of what went through it: absolute URLs and CONNECT tunnels, always to
loopback.
"""

from __future__ import annotations

import contextlib
import http.server
import select
import socket
import threading
import typing as t
import urllib.parse


class Proxy:
    """`requests` has (method, target, value of Proxy-Authorization). Every name leads to 127.0.0.1."""

    def __init__(self, allow: bool = True) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self._allow = allow
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Proxy:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                self._note()
                if not proxy._allow:
                    self.send_error(403)
                    return
                port = int(self.path.rpartition(":")[2])
                with socket.create_connection(("127.0.0.1", port)) as upstream:
                    self.send_response(200)
                    self.end_headers()
                    _copy_both_ways(self.connection, upstream)
                self.close_connection = True

            def do_GET(self) -> None:
                self._note()
                url = urllib.parse.urlsplit(self.path)
                with socket.create_connection(("127.0.0.1", url.port or 80)) as upstream:
                    names = [name for name in self.headers if not name.lower().startswith("proxy-")]
                    lines = [f"{self.command} {url.path} HTTP/1.1"]
                    lines += [f"{name}: {self.headers[name]}" for name in names] + ["Connection: close"]
                    upstream.sendall("\r\n".join([*lines, "", ""]).encode())
                    for data in iter(lambda: upstream.recv(65536), b""):
                        self.connection.sendall(data)
                self.close_connection = True

            do_HEAD = do_GET

            def _note(self) -> None:
                proxy.requests.append((self.command, self.path, self.headers.get("Proxy-Authorization", "")))

            def log_message(self, *arguments: t.Any) -> None:
                pass

        return Handler


def _copy_both_ways(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            readable = select.select([one, other], [], [])[0]
            for source in readable:
                data = source.recv(65536)
                if not data:
                    return
                (other if source is one else one).sendall(data)
