# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One socket to one server, and the answers that come through it.

Every received byte passes `_Progress`, so a server cannot hold us: a read that brings nothing for `timeout`
seconds, an answer that trickles below `MINIMUM_RATE`, and a document that is not complete by its deadline end
in `Stalled`. Only time spent waiting for the server counts: a disk that is slower than the network is not the
server's fault.
"""

from __future__ import annotations

import io
import select
import socket
import time
import typing as t

from .addresses import parse_address
from .origins import IPAddress, Origin, Url
from .proxies import Proxy

if t.TYPE_CHECKING:
    import http.client
    import ssl

MINIMUM_RATE = 1024
"""Bytes per second, measured over `timeout` seconds of waiting."""
_BUFFER = 1 << 16


class Stalled(OSError):
    """The server has stopped sending, or nearly."""


class Unreachable(OSError):
    """No connection could be made. `strerror` says why, `address` where."""

    def __init__(self, error: OSError, host: str, port: int) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.cause = error
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Untrusted(OSError):
    """A certificate is not accepted. `strerror` says why, `authority` (host[:port]) whose it is."""

    def __init__(self, reason: str, authority: str) -> None:
        super().__init__(0, reason)
        self.authority = authority


class Refused(Exception):
    """A server sent us to an address that it has no business to send us to."""


class _Progress:
    """Watches the bytes that come out of a socket."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self.socket = sock
        self.timeout = timeout
        self.deadline: float | None = None
        self._limited = False
        self.expect_answer()

    def expect_answer(self) -> None:
        """The next byte is the first of an answer: a server may think about it for `timeout` seconds."""
        self._thinking = True
        self._waited = 0.0
        self._received = 0

    def recv_into(self, view: memoryview) -> int:
        started = time.monotonic()
        self._limit_wait(started)
        try:
            count = self.socket.recv_into(view)
        except socket.timeout:
            raise Stalled(f"no byte for {time.monotonic() - started:.0f} seconds") from None
        if self._thinking:
            self._thinking = False
            return count
        self._waited += time.monotonic() - started
        self._received += count
        if self._waited >= self.timeout:
            if count and self._received < self.timeout * MINIMUM_RATE:
                raise Stalled(f"only {self._received} bytes in {self._waited:.0f} seconds")
            self._waited, self._received = 0.0, 0
        return count

    def _limit_wait(self, now: float) -> None:
        if self.deadline is not None:
            if now >= self.deadline:
                raise Stalled("the answer was not complete in time")
            self.socket.settimeout(min(self.timeout, self.deadline - now))
            self._limited = True
        elif self._limited:
            self.socket.settimeout(self.timeout)
            self._limited = False


class _Stream(io.RawIOBase):
    """The reading side of the socket, for one answer; closing it leaves the socket open for the next."""

    def __init__(self, progress: _Progress) -> None:
        self._progress = progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        return self._progress.recv_into(memoryview(buffer))


class _Reader(io.BufferedReader):
    """`readinto` returns what one read of the socket brings, as `readinto1` does: `http.client` has no such
    method, and a loop that fills the buffer would lose what it has when the connection breaks.
    """

    readinto = io.BufferedReader.readinto1


class _Channel:
    """What `http.client` takes for a socket."""

    def __init__(self, progress: _Progress) -> None:
        self._progress = progress

    def makefile(self, *_arguments: t.Any) -> io.BufferedReader:
        return _Reader(_Stream(self._progress), _BUFFER)

    def sendall(self, data: bytes) -> None:
        self._progress.socket.sendall(data)

    def close(self) -> None:
        """`http.client` closes it while the answer is still being read; `Connection.close` is the real
        end.
        """


class Request(t.NamedTuple):
    method: str
    url: Url
    headers: t.Mapping[str, str]
    body: bytes
    deadline: float
    """When (monotonic) the whole answer must be there, or its head if `head_only`."""
    head_only: bool

    def signed(self, authorization: str) -> Request:
        """With credentials, if there are some."""
        secret = {"Authorization": authorization} if authorization else {}
        return self._replace(headers={**self.headers, **secret})

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.origin})"


class Connection:
    """One connection to `origin`, for one request at a time."""

    def __init__(
        self,
        origin: Origin,
        sock: socket.socket,
        address: IPAddress | None,
        proxy: Proxy | None,
        timeout: float,
    ) -> None:
        import http.client

        self.origin = origin
        self.address = address
        self._socket = sock
        self._proxy = proxy if origin.scheme == "http" else None
        self._progress = _Progress(sock, timeout)
        self._http = http.client.HTTPConnection(origin.host, origin.port)
        self._http.sock = t.cast(socket.socket, _Channel(self._progress))
        self._http.auto_open = 0

    def request(self, request: Request) -> http.client.HTTPResponse:
        """Send a request; its answer, of which the head has been read."""
        self._progress.expect_answer()
        self._progress.deadline = request.deadline
        self._http.putrequest(
            request.method, self._target(request.url), skip_host=True, skip_accept_encoding=True
        )
        length = {"Content-Length": str(len(request.body))} if request.body else {}
        host = {"Host": request.url.origin.host_header}
        for name, value in {**host, **self._proxy_headers(), **length, **request.headers}.items():
            self._http.putheader(name, value)
        self._http.endheaders(request.body or None)
        response = self._http.getresponse()
        if request.head_only:
            self._progress.deadline = None
        return response

    def hurry(self) -> None:
        """Give what is left of the answer, which is not what we came for, a short time to end."""
        limit = time.monotonic() + self._progress.timeout
        self._progress.deadline = min(self._progress.deadline or limit, limit)

    @property
    def is_fresh(self) -> bool:
        """Whether an idle connection can take another request: the server has neither closed it nor
        spoken.
        """
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._http.close()
        self._socket.close()

    def _target(self, url: Url) -> str:
        """Through a proxy, plain HTTP names the whole URL (RFC 9112, 3.2.2)."""
        return str(url) if self._proxy else url.target

    def _proxy_headers(self) -> dict[str, str]:
        if self._proxy and self._proxy.authorization:
            return {"Proxy-Authorization": self._proxy.authorization}
        return {}


def connect(
    origin: Origin,
    *,
    timeout: float,
    proxy: Proxy | None = None,
    context: ssl.SSLContext | None = None,
    may_connect: t.Callable[[IPAddress], bool] = lambda address: True,
) -> Connection:
    """A connection to `origin`, through `proxy` if there is one. `context` is needed for https.

    Raises `Unreachable` (with what the network said), `Refused`, `ssl.SSLError`, `OSError`.
    """
    if origin.address and not may_connect(parse_address(origin.host)):
        raise Refused(origin.host)
    if proxy:
        sock, address = _dial(proxy.host, proxy.port, timeout, lambda _address: True)[0], None
    else:
        sock, address = _dial(origin.host, origin.port, timeout, may_connect)
    try:
        if proxy and origin.scheme == "https":
            _open_tunnel(sock, origin, proxy, timeout)
        if context:
            sock = _wrap(sock, context, origin)
        return Connection(origin, sock, address, proxy, timeout)
    except BaseException:
        sock.close()
        raise


def _dial(
    host: str, port: int, timeout: float, may_connect: t.Callable[[IPAddress], bool]
) -> tuple[socket.socket, IPAddress]:
    """The first address of `host` that answers. No address may be tried that `may_connect` forbids."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(error, host, port) from error
    failure: OSError = OSError(f"no address for {host}")
    deadline = time.monotonic() + 2 * timeout
    for family, kind, protocol, _name, where in found:
        address = parse_address(str(where[0]))
        if not may_connect(address):
            raise Refused(f"{host} ({address})")
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.001, min(timeout, deadline - time.monotonic())))
            sock.connect(where)
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock, address
        except OSError as error:
            sock.close()
            failure = error
    raise Unreachable(failure, host, port) from failure


def _wrap(sock: socket.socket, context: ssl.SSLContext, origin: Origin) -> socket.socket:
    import ssl

    try:
        return context.wrap_socket(sock, server_hostname=origin.host)
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(error.verify_message, origin.host_header) from error


def _open_tunnel(sock: socket.socket, origin: Origin, proxy: Proxy, timeout: float) -> None:
    """CONNECT (RFC 9110, 9.3.6)."""
    import http.client

    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"Host: {host}:{origin.port}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    progress = _Progress(sock, timeout)
    progress.deadline = time.monotonic() + timeout
    response = http.client.HTTPResponse(t.cast(socket.socket, _Channel(progress)), method="CONNECT")
    response.begin()
    if response.status != 200:
        raise Unreachable(
            OSError(
                0, f"the proxy {proxy.host}:{proxy.port} answers {response.status} {response.reason[:80]}"
            ),
            origin.host,
            origin.port,
        )
    sock.settimeout(timeout)
