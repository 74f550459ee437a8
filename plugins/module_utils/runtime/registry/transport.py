# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Requests to one registry and to where it redirects, with what each server may see.

    Authorization        the origin it was made for; dropped at the first redirect to another scheme, host or
    port client certificate   the registry's host only no verification      only where the task said so

Connections are kept for the next request, per origin. Safe for threads: a connection belongs to one request
at a time.
"""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ..errors import RegistryError
from . import connection as connections
from .addresses import may_lead_to
from .connection import Connection, Request
from .options import RegistryOptions
from .origins import IPAddress, Origin, Url, may_redirect
from .proxies import proxy_for
from .response import Response
from .tls import tls_context

if t.TYPE_CHECKING:
    import ssl

MAX_REDIRECTS = 10
MAX_IDLE = 16
USER_AGENT = "coracle"
_REDIRECTS = (301, 302, 303, 307, 308)


class Transport:
    def __init__(
        self, home: Origin, options: RegistryOptions, unverified: t.Callable[[Origin], bool]
    ) -> None:
        """`home` is the registry (its scheme may still change); `unverified` says where TLS is not
        checked.
        """
        self.home = home
        self._options = options
        self._unverified = unverified
        self._home_address: IPAddress | None = None
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[Connection]] = {}
        self._contexts: dict[Origin, ssl.SSLContext] = {}
        self._answered: set[Origin] = set()

    def request(
        self,
        method: str,
        url: Url,
        headers: t.Mapping[str, str],
        authorization: str = "",
        body: bytes = b"",
        deadline: float | None = None,
        follow: bool = True,
    ) -> Response:
        """The answer after redirects; of a request with a body, which may hold a secret, the first answer.

        Raises what `failures.explained` explains, and `RegistryError` for redirects that lead nowhere.
        """
        request = Request(
            method,
            url,
            {"User-Agent": USER_AGENT, **headers},
            body,
            deadline or self._deadline(),
            not deadline,
        )
        for _hop in range(MAX_REDIRECTS + 1):
            response = self._exchange(request.signed(authorization))
            if response.status not in _REDIRECTS or body or not follow:
                return response
            location = response.header("Location")
            response.discard()
            url = may_redirect(request.url, location)
            if url.origin != request.url.origin:
                authorization = ""
            request = request._replace(url=url)
        raise RegistryError(f"registry {self.home.host_header} redirects more than {MAX_REDIRECTS} times")

    def _deadline(self) -> float:
        """For the heads of a body that may take its time, redirects included."""
        return time.monotonic() + 2 * self._options.timeout

    def has_answered(self, origin: Origin) -> bool:
        return origin in self._answered

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, {}
        for group in idle.values():
            for connection in group:
                connection.close()

    def _exchange(self, request: Request) -> Response:
        """One request and the head of its answer. A kept connection that turns out dead is replaced, once."""
        kept = self._take(request.url.origin)
        if kept:
            try:
                return self._send(kept, request)
            except ConnectionError:
                pass
        return self._send(self._connect(request.url.origin), request)

    def _send(self, connection: Connection, request: Request) -> Response:
        try:
            response = connection.request(request)
        except BaseException:
            connection.close()
            raise
        self._answered.add(request.url.origin)
        return Response(request.url, response, connection, self._release)

    def _connect(self, origin: Origin) -> Connection:
        is_home = (origin.host, origin.port) == (self.home.host, self.home.port)
        connection = connections.connect(
            origin,
            timeout=self._options.timeout,
            proxy=proxy_for(origin, os.environ),
            context=self._context(origin) if origin.scheme == "https" else None,
            may_connect=lambda address: is_home or may_lead_to(self._home_address, address),
        )
        if is_home and connection.address:
            self._home_address = connection.address
        return connection

    def _context(self, origin: Origin) -> ssl.SSLContext:
        with self._lock:
            if origin not in self._contexts:
                own = origin.host == self.home.host
                self._contexts[origin] = tls_context(
                    origin,
                    verify=not self._unverified(origin),
                    ca_cert=self._options.ca_cert,
                    client_cert=self._options.client_cert if own else "",
                    client_key=self._options.client_key if own else "",
                )
            return self._contexts[origin]

    def _take(self, origin: Origin) -> Connection | None:
        while True:
            with self._lock:
                group = self._idle.get(origin)
                connection = group.pop() if group else None
            if connection is None or connection.is_fresh:
                return connection
            connection.close()

    def _release(self, connection: Connection) -> None:
        with self._lock:
            group = self._idle.setdefault(connection.origin, [])
            if len(group) < MAX_IDLE:
                group.append(connection)
                return
        connection.close()
