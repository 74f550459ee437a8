# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Origins (scheme, host, port) and the rules about them: credentials belong to one.

    may_redirect      where a server may send a request on to
    may_sign_in_at    which token server may see the credentials of a registry
    may_ask_token_at  which token server may be asked at all, without credentials

The attacks behind these rules: CVE-2026-48978 and GHSA-28r5-37g7-p6mp (realm at a foreign host),
GHSA-vh4v-2xq2-g5cg (redirect to another port), CVE-2020-15157 (credentials to a foreign layer host).
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
import urllib.parse

from ..errors import RegistryError

DEFAULT_PORTS = {"http": 80, "https": 443}
IPAddress = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Origin(t.NamedTuple):
    scheme: str
    host: str
    """Lower case, without the brackets of an IPv6 address."""
    port: int

    @property
    def host_header(self) -> str:
        """`host`, or `host:port` where the port is not that of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def address(self) -> IPAddress | None:
        """The host as an IP address if it is written as one."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def is_loopback(self) -> bool:
        """`localhost`, 127.0.0.0/8 and ::1: by name, nothing is resolved."""
        return self.host == "localhost" or (self.address is not None and self.address.is_loopback)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}"


class Url(t.NamedTuple):
    origin: Origin
    target: str
    """Path and query, as they go into a request line."""

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


def parse_host(text: str, scheme: str) -> Origin:
    """`host`, `host:port`, `[v6]:port` → an origin. Raises `RegistryError`."""
    return parse_url(f"{scheme}://{text}/").origin


def parse_url(text: str) -> Url:
    """A URL that is safe to connect to and to put into a request; `RegistryError` for any other."""
    if not 0 < len(text) <= 16384 or re.search(r"[\x00-\x20\x7f\\]", text):
        raise RegistryError(f"{text[:200]!r} is not a valid URL")
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError:
        raise RegistryError(f"{text[:200]!r} is not a valid URL") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise RegistryError(f"{text[:200]!r}: only http and https are followed")
    if "@" in parts.netloc:
        raise RegistryError(f"a URL for {parts.hostname!r} contains a user name: it is not followed")
    host = (parts.hostname or "").rstrip(".")
    pattern = "[0-9a-f:.]*:[0-9a-f:.]*" if "[" in parts.netloc else "[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?"
    if not re.fullmatch(pattern, host) or port == 0:
        raise RegistryError(f"{text[:200]!r}: the host is not valid")
    target = urllib.parse.quote(parts.path or "/", safe="%/:=@!$&'()*+,;~-._")
    if parts.query:
        target += "?" + urllib.parse.quote(parts.query, safe="%/:=@!$&'()*+,;~-._?")
    return Url(Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme]), target)


def may_redirect(current: Url, location: str) -> Url:
    """Where a redirect from `current` leads: never from HTTPS to HTTP, never to another scheme."""
    try:
        url = parse_url(urllib.parse.urljoin(str(current), location.strip()))
    except ValueError:
        raise RegistryError(f"{current.origin} redirects to {location[:200]!r}, which is not a URL") from None
    if current.origin.scheme == "https" and url.origin.scheme == "http":
        raise RegistryError(f"{current.origin} redirects from HTTPS to {url.origin}: this is not followed")
    return url


def may_ask_token_at(registry: Origin, realm: Origin) -> bool:
    """Asking costs no secret, but is a request to wherever the registry says."""
    if realm.host == registry.host:
        return realm.scheme == "https" or registry.scheme == "http"
    if realm.scheme == "http":
        return registry.scheme == "http" and realm.address is None
    return realm.address is None


def may_sign_in_at(registry: Origin, realm: Origin, token_servers: t.Collection[str] = ()) -> bool:
    """Whether the token server `realm` may see credentials that were given for `registry`.

    The same host may (a port of its own is usual), and over HTTPS a host of the same registrable domain
    (`registry.example.com` and `auth.example.com`), and what the task names in `token_servers`.
    """
    if not may_ask_token_at(registry, realm):
        return False
    if realm.host == registry.host:
        return True
    if realm.host in token_servers or realm.host_header in token_servers:
        return realm.scheme == "https" or registry.scheme == "http"
    return realm.scheme == "https" and same_site(registry.host, realm.host)


def same_site(one: str, other: str) -> bool:
    """Whether two host names belong to one registrable domain, as far as this can be known without a list."""
    site = registrable_domain(one)
    return site is not None and site == registrable_domain(other)


def registrable_domain(host: str) -> str | None:
    """`auth.docker.io` → `docker.io`; None for addresses, single words and suffixes under which anyone can
    register.

    Without the Public Suffix List: two labels, three below short second-level domains (`co.uk`, `com.au`) and
    below the hosting domains that registries and their impostors live under. Too narrow is safe: the task can
    name the server.
    """
    labels = host.split(".")
    if len(labels) < 2 or ":" in host or labels[-1].isdigit():
        return None
    count = 2
    if len(labels[-1]) == 2 and len(labels[-2]) <= 3:
        count = 3
    for suffix in _SHARED_DOMAINS:
        if host == suffix or host.endswith("." + suffix):
            count = suffix.count(".") + 2
    return ".".join(labels[-count:]) if len(labels) >= count else None


_SHARED_DOMAINS = (
    "amazonaws.com",
    "appspot.com",
    "azurecr.io",
    "azurewebsites.net",
    "cloudapp.net",
    "cloudfront.net",
    "duckdns.org",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "jfrog.io",
    "netlify.app",
    "ngrok.io",
    "nip.io",
    "onrender.com",
    "pages.dev",
    "run.app",
    "sslip.io",
    "vercel.app",
    "windows.net",
    "workers.dev",
)
