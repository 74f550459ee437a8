# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Signing in, as far as a server asks and as it may ask: anonymous → basic → bearer.

    401 Basic     the credentials themselves, with every request from then on
    401 Bearer    a token for one repository, from the token server that the registry names (its "realm"):
                  anonymous, or for credentials; fetched again when it has run out or the registry says so

Distribution's "Token Authentication Specification" and its OAuth 2 variant for identity tokens. A realm sees
credentials only if `origins.may_sign_in_at` says so. The scope is ours (`repository:<name>:pull`), whatever
the registry proposes.
"""

from __future__ import annotations

import threading
import time
import typing as t
import urllib.parse

from ..errors import AuthenticationError, CoracleError, RegistryError
from ..oci.strict_json import parse_json_object
from .challenges import Challenge, parse_challenges
from .failures import error_details, explained, printable, raise_for_status, raise_not_allowed
from .origins import Url, may_ask_token_at, may_sign_in_at, parse_url
from .transport import Transport

if t.TYPE_CHECKING:
    from .credentials import Found

MAX_TOKEN_BODY = 1 << 20
MAX_TOKEN = 1 << 15
DEFAULT_LIFETIME = 60.0
_EARLY = 10.0
"""A token is not used in the last seconds of its life."""


class _Token(t.NamedTuple):
    authorization: str
    expires: float


class Authorizer:
    """The sign-in at one server. Safe for threads: one of them fetches a token, the others use it."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        find: t.Callable[[str], Found],
        token_servers: t.Sequence[str] = (),
        timeout: float = 15.0,
        warn: t.Callable[[str], None] = lambda text: None,
    ) -> None:
        """`find(repository)` looks for credentials; it is called when the server asks, not before."""
        self._name = name
        self._transport = transport
        self._find = find
        self._token_servers = token_servers
        self._timeout = timeout
        self._warn = warn
        self._lock = threading.RLock()
        self._found: dict[str, Found] = {}
        self._basic: dict[str, str] = {}
        self._tokens: dict[str, _Token] = {}
        self._bearer: dict[str, Challenge] = {}

    def authorization(self, repository: str) -> str:
        """What to send with a request about `repository` now: a header value, or empty."""
        with self._lock:
            token = self._tokens.get(repository)
            if token and token.expires <= time.monotonic():
                token = self._tokens[repository] = self._fetch_token(self._bearer[repository], repository)
            return token.authorization if token else self._basic.get(repository, "")

    def escalate(self, headers: t.Sequence[str], repository: str, used: str, details: str) -> None:
        """After a 401 to a request with `used`: make `authorization()` return something better.

        `headers` are the server's `WWW-Authenticate`, `details` its error text. Raises `AuthenticationError`
        when there is nothing better.
        """
        challenges = {challenge.scheme: challenge for challenge in reversed(parse_challenges(headers))}
        with self._lock:
            if used != self.authorization(repository):
                return
            if "bearer" in challenges:
                self._bearer[repository] = challenges["bearer"]
                self._tokens[repository] = self._fetch_token(challenges["bearer"], repository)
            elif "basic" in challenges and not used:
                self._basic[repository] = self._basic_authorization(repository, details)
            else:
                self.deny(repository, details)

    def deny(self, repository: str, details: str) -> t.NoReturn:
        raise_not_allowed(self._name, repository, details, str(self._credentials(repository)))

    def _credentials(self, repository: str) -> Found:
        if repository not in self._found:
            self._found[repository] = self._find(repository)
        return self._found[repository]

    def _basic_authorization(self, repository: str, details: str) -> str:
        credentials = self._credentials(repository).credentials
        if credentials is None:
            self.deny(repository, details)
        if credentials.identity_token:
            raise AuthenticationError(
                f"registry {self._name} wants a user name and a password; {credentials} is an identity token"
            )
        self._mention_plain_text(self._transport.home.scheme, self._transport.home.is_loopback)
        return credentials.basic

    def _fetch_token(self, challenge: Challenge, repository: str) -> _Token:
        realm = self._realm(challenge)
        query = {"service": challenge.parameters.get("service", ""), "scope": f"repository:{repository}:pull"}
        credentials = self._credentials(repository).credentials
        if credentials is None:
            return self._ask(realm, query, repository)
        if not may_sign_in_at(self._transport.home, realm.origin, self._token_servers):
            raise AuthenticationError(
                f"registry {self._name} wants the password of {credentials} to be sent to {realm.origin}, "
                "which does not belong to it: it was not sent",
                f"if this is right, add {realm.origin.host_header} to token_servers",
            )
        self._mention_plain_text(realm.origin.scheme, realm.origin.is_loopback)
        if credentials.identity_token:
            form = {"grant_type": "refresh_token", "client_id": "coracle", **query}
            return self._ask(
                realm, {**form, "refresh_token": credentials.identity_token}, repository, post=True
            )
        return self._ask(
            realm, {"account": credentials.username, **query}, repository, basic=credentials.basic
        )

    def _realm(self, challenge: Challenge) -> Url:
        text = challenge.parameters.get("realm", "")
        try:
            realm = parse_url(text.partition("#")[0])
        except RegistryError as error:
            error.during(f"registry {self._name} names a token server")
            raise
        if not may_ask_token_at(self._transport.home, realm.origin):
            raise AuthenticationError(
                f"registry {self._name} names {realm.origin} as its token server: this is not followed"
            )
        return realm

    def _ask(
        self, realm: Url, fields: dict[str, str], repository: str, basic: str = "", post: bool = False
    ) -> _Token:
        encoded = urllib.parse.urlencode({key: value for key, value in fields.items() if value})
        headers, body, target = {}, b"", realm.target
        if post:
            headers["Content-Type"], body = "application/x-www-form-urlencoded", encoded.encode()
        else:
            target += ("&" if "?" in target else "?") + encoded
        with explained(self._name):
            response = self._transport.request(
                "POST" if post else "GET",
                Url(realm.origin, target),
                headers,
                authorization=basic,
                body=body,
                deadline=time.monotonic() + self._timeout,
            )
            if response.status in (400, 401, 403, 404):
                self.deny(repository, error_details(response))
            raise_for_status(self._name, response)
            try:
                return self._token(response.read_all(MAX_TOKEN_BODY))
            finally:
                response.close()

    def _token(self, body: bytes) -> _Token:
        try:
            document = parse_json_object(body, "token response", MAX_TOKEN_BODY)
        except CoracleError as error:
            raise RegistryError(f"registry {self._name}: {error}") from None
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN or not _is_header_safe(token):
            raise RegistryError(f"registry {self._name}: its token server answers without a usable token")
        lifetime = document.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, (int, float)) and lifetime > 0 else DEFAULT_LIFETIME
        return _Token(f"Bearer {token}", time.monotonic() + max(seconds - _EARLY, seconds / 2))

    def _mention_plain_text(self, scheme: str, is_loopback: bool) -> None:
        if scheme == "http" and not is_loopback:
            self._warn(f"the credentials for registry {printable(self._name)} were sent over plain HTTP")


def _is_header_safe(token: str) -> bool:
    return token.isascii() and all(33 <= ord(character) <= 126 for character in token)
