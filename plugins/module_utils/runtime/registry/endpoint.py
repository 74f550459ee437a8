# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One server that has images of a registry: the registry itself, or a mirror of it.

It knows how the server is spoken to (found out at the first contact where the name leaves it open), signs in
when asked, and tries again where that makes sense. Credentials, connections and trust are its own: nothing is
shared with the other endpoints of a registry.

    127.0.0.1:5000, localhost            plain HTTP if the server speaks it, else verified HTTPS listed in
    insecure_registries        unverified HTTPS, else plain HTTP; `http://…` there: plain HTTP at once
    anything else                        verified HTTPS
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from ..errors import CoracleError, InvalidInput, RegistryError
from ..oci.reference import DOCKER_HUB
from .auth import Authorizer
from .connection import Stalled
from .failures import Interrupted, NotTls, error_details, explained, raise_for_status
from .options import RegistryOptions
from .origins import Origin, Url, parse_host
from .patience import Patience
from .response import Response
from .transport import Transport

if t.TYPE_CHECKING:
    import email.message

    from .credentials import Found

_HUB_SERVER = "registry-1.docker.io"
_PING = "/v2/"


class Answer(t.NamedTuple):
    """A document: status 200 or 404, and for 404 the server's words in `body`."""

    status: int
    headers: email.message.Message
    body: bytes


class Endpoint:
    def __init__(
        self,
        name: str,
        options: RegistryOptions,
        *,
        is_mirror: bool = False,
        count_retry: t.Callable[[], None] = lambda: None,
        warn: t.Callable[[str], None] = lambda text: None,
    ) -> None:
        """`name`: a registry as in an image name, or a mirror as in `RegistryOptions.mirrors`."""
        self._options = options
        self._is_mirror = is_mirror
        self._count_retry = count_retry
        scheme, self.name, self._prefix = _split_name(name, is_mirror)
        self._candidates = _candidates(scheme, self.name, options.insecure_registries)
        self._settled = len(self._candidates) == 1
        self._lock = threading.Lock()
        self._transport = Transport(self._candidates[0], options, self._is_unverified)
        self._authorizer = Authorizer(
            self.name, self._transport, self._find, options.token_servers, options.timeout, warn
        )

    def patience(self) -> Patience:
        return Patience(self._options.retries, self._options.timeout, self._count_retry)

    def fetch(
        self, method: str, repository: str, path: str, headers: t.Mapping[str, str], limit: int
    ) -> Answer:
        """A document of at most `limit` bytes, complete within `timeout` seconds; with retries."""
        patience = self.patience()
        while True:
            try:
                return self._fetch(method, repository, path, headers, limit)
            except Interrupted as error:
                patience.wait(error, error.retry_after)

    def open(self, repository: str, path: str, headers: t.Mapping[str, str]) -> Response:
        """The answer to one GET, its body unread. One attempt; 404 and the 200s are returned."""
        self._settle()
        with self._explained():
            return self._request("GET", repository, path, headers, None)

    def close(self) -> None:
        self._transport.close()

    def explained(self) -> t.ContextManager[None]:
        """For reading from what `open` returned."""
        return explained(self.name)

    def _explained(self) -> t.ContextManager[None]:
        return explained(self.name, known=self._transport.has_answered(self._transport.home))

    def _fetch(
        self, method: str, repository: str, path: str, headers: t.Mapping[str, str], limit: int
    ) -> Answer:
        self._settle()
        with self._explained():
            deadline = time.monotonic() + self._options.timeout
            response = self._request(method, repository, path, headers, deadline)
            with contextlib.closing(response):
                return Answer(response.status, response.headers, response.read_all(limit))

    def _request(
        self, method: str, repository: str, path: str, headers: t.Mapping[str, str], deadline: float | None
    ) -> Response:
        """One request, signed in as far as the server wants. Any answer but success and 404 is raised."""
        repository = self._prefix + repository
        url = Url(self._transport.home, f"/v2/{repository}/{path}")
        for is_last in (False, True):
            used = self._authorizer.authorization(repository)
            response = self._transport.request(method, url, headers, used, deadline=deadline)
            if response.status == 401 and not is_last and response.url.origin == self._transport.home:
                challenges = response.headers.get_all("WWW-Authenticate") or []
                self._authorizer.escalate(challenges, repository, used, error_details(response))
                deadline = deadline and time.monotonic() + self._options.timeout
                continue
            if response.status in (401, 403):
                self._raise_denied(repository, response)
            raise_for_status(self.name, response)
            break
        return response

    def _raise_denied(self, repository: str, response: Response) -> t.NoReturn:
        if response.url.origin == self._transport.home:
            self._authorizer.deny(repository, error_details(response))
        response.close()
        raise Interrupted(
            f"registry {self.name} redirects to {response.url.origin}, which answers {response.status}",
            "try again later",
        )

    def _settle(self) -> None:
        """Find out, once, which of the possible origins answers."""
        with self._lock:
            if not self._settled:
                self._transport.home = self._first_answering()
                self._settled = True

    def _first_answering(self) -> Origin:
        failures: list[CoracleError] = []
        for origin in self._candidates:
            try:
                with explained(self.name, known=False):
                    if self._speaks(origin):
                        return origin
            except InvalidInput:
                raise
            except RegistryError as error:
                if isinstance(error.__cause__, Stalled):
                    raise
                failures.append(error)
        telling = [error for error in failures if not isinstance(error, (Interrupted, NotTls))]
        raise [*telling, *failures][0]

    def _speaks(self, origin: Origin) -> bool:
        """Whether a server at `origin` speaks its scheme. A TLS server answers plain HTTP with a 400 that
        says so.
        """
        deadline = time.monotonic() + self._options.timeout
        response = self._transport.request("GET", Url(origin, _PING), {}, deadline=deadline, follow=False)
        with contextlib.closing(response):
            if response.status != 400 or origin.scheme == "https":
                response.discard()
                return True
            return b"HTTPS" not in response.read_all(1 << 16).upper()

    def _is_unverified(self, origin: Origin) -> bool:
        if _listed(origin, self._options.insecure_registries):
            return True
        is_own = not self._is_mirror and origin.host == self._transport.home.host
        return is_own and not self._options.validate_certs

    def _find(self, repository: str) -> Found:
        from .credentials import find_credentials

        options = self._options if not self._is_mirror else self._options._replace(username="", password="")
        return find_credentials(
            self.name,
            repository,
            username=options.username,
            password=options.password,
            auth_file=options.auth_file,
        )


def _split_name(name: str, is_mirror: bool) -> tuple[str, str, str]:
    """Scheme or empty, host[:port], and the path prefix of a mirror with a slash at its end."""
    scheme, separator, rest = name.partition("://")
    if not separator:
        scheme, rest = "", name
    host, _slash, path = rest.strip("/").partition("/")
    if scheme not in ("", "http", "https") or not host or (not is_mirror and (scheme or path)):
        raise InvalidInput(
            f"{name!r} is not a registry", "write host, host:port or, for a mirror, https://host/prefix"
        )
    return scheme, host.lower(), f"{path}/" if path else ""


def _candidates(scheme: str, name: str, insecure: t.Sequence[str]) -> list[Origin]:
    host = _HUB_SERVER if name == DOCKER_HUB else name
    https, http = _parsed(host, "https"), _parsed(host, "http")
    if scheme:
        return [http if scheme == "http" else https]
    if f"http://{name}" in insecure:
        return [http]
    if name in insecure:
        return [https, http]
    return [http, https] if http.is_loopback else [https]


def _parsed(host: str, scheme: str) -> Origin:
    try:
        return parse_host(host, scheme)
    except RegistryError:
        raise InvalidInput(f"{host!r} is not a registry", "write host or host:port") from None


def _listed(origin: Origin, insecure: t.Sequence[str]) -> bool:
    return origin.host_header in insecure or f"{origin.host_header}:{origin.port}" in insecure
