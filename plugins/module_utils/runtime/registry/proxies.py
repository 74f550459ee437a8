# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Proxies from the environment: `http_proxy`, `https_proxy`, `no_proxy`, lower case before upper case.

`no_proxy` is a comma-separated list of hosts and domains (with everything below them), `host:port`,
addresses, networks (`10.0.0.0/8`), or `*`. Loopback is never reached through a proxy.
"""

from __future__ import annotations

import base64
import ipaddress
import typing as t
import urllib.parse

from ..errors import InvalidInput
from .origins import Origin


class Proxy(t.NamedTuple):
    host: str
    port: int
    authorization: str
    """Value of `Proxy-Authorization`, or empty. It goes to the proxy and nowhere else."""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


def proxy_for(origin: Origin, environ: t.Mapping[str, str]) -> Proxy | None:
    """The proxy for requests to `origin`, if there is one. `InvalidInput` for one that cannot be used."""
    variable = f"{origin.scheme}_proxy"
    value = environ.get(variable) or environ.get(variable.upper()) or ""
    excluded = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not value or origin.is_loopback or is_excluded(origin, excluded):
        return None
    return _parse_proxy(variable, value)


def is_excluded(origin: Origin, no_proxy: str) -> bool:
    return any(_matches(origin, entry.strip().lower()) for entry in no_proxy.split(","))


def _matches(origin: Origin, entry: str) -> bool:
    if entry in ("", "*"):
        return entry == "*"
    if "/" in entry and origin.address is not None:
        try:
            return origin.address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    host, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.endswith("]")):
        if int(port) != origin.port:
            return False
        entry = host
    name = entry.strip("[]").lstrip("*").lstrip(".")
    return origin.host == name or origin.host.endswith("." + name)


def _parse_proxy(variable: str, value: str) -> Proxy:
    try:
        parts = urllib.parse.urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host = None
    if not host:
        raise InvalidInput(
            f"environment variable {variable}: not the URL of a proxy", "write http://host:port"
        )
    if parts.scheme != "http":
        raise InvalidInput(
            f"environment variable {variable}: a proxy that is spoken to by {parts.scheme} is not supported",
            "write http://host:port; HTTPS goes through it by CONNECT",
        )
    authorization = ""
    if parts.username is not None:
        user, password = (urllib.parse.unquote(text or "") for text in (parts.username, parts.password))
        authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return Proxy(host, port, authorization)
