# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What went wrong with a registry, as one sentence with object, cause and remedy.

`Interrupted` is the one kind after which another attempt makes sense.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
import typing as t

from ..errors import AuthenticationError, CoracleError, IntegrityError, NotFound, RegistryError
from ..oci.strict_json import parse_json_object
from .connection import Refused, Stalled, Unreachable, Untrusted
from .response import Response, TooLarge

if t.TYPE_CHECKING:
    import ssl


MAX_ERROR_BODY = 1 << 20
_PLAIN_HINT = "list it in insecure_registries if plain HTTP is meant"
_TRANSIENT_STATUS = (408, 425, 429, 500, 502, 503, 504)


class Interrupted(RegistryError):
    """Trying again may help; `retry_after` seconds is when the server suggests it (0: it does not)."""

    retry_after = 0.0


class NotTls(RegistryError):
    """The server answers TLS with something else."""


@contextlib.contextmanager
def explained(name: str, *, known: bool = True) -> t.Iterator[None]:
    """Turn what a connection to the registry `name` raises into our errors.

    `known` says that the server has answered before, so that a refused connection is worth another attempt.
    """
    import http.client
    import ssl

    try:
        yield
    except Untrusted as error:
        raise _untrusted(name, error) from error
    except Unreachable as error:
        raise _unreachable(name, error, known) from error
    except Refused as error:
        raise RegistryError(
            f"registry {name} sends us to {error}, on a network that it cannot know: this is not followed"
        ) from error
    except TooLarge as error:
        raise IntegrityError(f"registry {name} sends an answer of {error}") from error
    except Stalled as error:
        raise Interrupted(f"registry {name} stalls: {error}", "try again; check the network") from error
    except ssl.SSLError as error:
        raise _no_tls(name, error) from error
    except http.client.InvalidURL as error:
        raise RegistryError(f"registry {name}: {printable(str(error))}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        text = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
        raise Interrupted(
            f"registry {name}: the connection failed: {printable(text)}", "try again; check the network"
        ) from error


def _unreachable(name: str, error: Unreachable, known: bool) -> RegistryError:
    cause, server = error.cause, _server(name, error.address)
    if isinstance(cause, socket.gaierror):
        kind = Interrupted if cause.errno == socket.EAI_AGAIN else RegistryError
        return kind(
            f"{server}: the host name cannot be resolved: {cause.strerror}",
            "correct the registry in the image name, or the DNS servers of this host",
        )
    if isinstance(cause, socket.timeout) or cause.errno == errno.ETIMEDOUT:
        text, hint = "does not answer", "check the network, the firewall and the proxy settings"
    elif cause.errno == errno.ECONNREFUSED:
        text, hint = "refuses the connection", "start the registry, or correct it in the image name"
    else:
        text, hint = f"cannot be reached: {cause.strerror or cause}", "check the network and the proxies"
    return (Interrupted if known else RegistryError)(f"{server} {text}", hint)


def _untrusted(name: str, error: Untrusted) -> RegistryError:
    import ssl

    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and os.listdir(paths.capath)):
        hint = "this host knows no certificate authorities: install the package ca-certificates"
    else:
        hint = (
            f"give its authority with ca_cert or in /etc/docker/certs.d/{error.authority}/ca.crt, or turn "
            "the check off for this registry with validate_certs or insecure_registries"
        )
    server = _server(name, error.authority)
    return RegistryError(f"{server}: the certificate is not accepted: {error.strerror}", hint)


def _server(name: str, authority: str) -> str:
    """The registry, and the server really spoken to where that is another one."""
    return f"registry {name}" if authority == name else f"registry {name} at {authority}"


def _no_tls(name: str, error: ssl.SSLError) -> RegistryError:
    import ssl

    reason = (error.reason or str(error)).replace("_", " ").lower()
    if reason in ("wrong version number", "http request", "record layer failure"):
        return NotTls(f"registry {name} does not speak TLS", _PLAIN_HINT)
    if "certificate required" in reason or "handshake failure" in reason or "bad certificate" in reason:
        return RegistryError(
            f"registry {name}: TLS failed: {reason}",
            "the registry may want a client_cert",
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Interrupted(f"registry {name} closes the connection when TLS is tried", _PLAIN_HINT)
    return Interrupted(f"registry {name}: TLS failed: {printable(reason)}", "try again; check the network")


def raise_for_status(name: str, response: Response) -> None:
    """Return if the answer is a success; raise `Interrupted` for passing troubles; leave 401, 403 and 404 to
    others.
    """
    if response.status < 300 or response.status in (401, 403, 404):
        return
    details = error_details(response)
    text = f"registry {name} answers {response.status}{': ' + details if details else ''}"
    if response.status not in _TRANSIENT_STATUS:
        raise RegistryError(text)
    hint = (
        "the registry limits requests: sign in, use a mirror, or wait"
        if response.status == 429
        else "try again later"
    )
    error = Interrupted(text, hint)
    error.retry_after = parse_retry_after(response.header("Retry-After"))
    raise error


def raise_not_allowed(name: str, repository: str, details: str, credentials: str) -> t.NoReturn:
    """For 401 and 403. `credentials` says which were used or where they were looked for."""
    raise AuthenticationError(
        f"registry {name} does not allow access to {repository}: {details or 'unauthorized'}; {credentials}",
        "check that the repository exists and that this user may pull from it; options username and password",
    )


def raise_not_found(name: str, repository: str, target: str, details: str, tags: str | None) -> t.NoReturn:
    """For 404. `tags` lists what there is instead; None if there is no such repository at all."""
    if tags is None:
        raise NotFound(f"registry {name} has no repository {repository}", "correct the image name")
    kind = "digest" if target.startswith("sha256:") else "tag"
    known = f"; tags there: {tags}" if tags else ""
    raise NotFound(
        f"registry {name} has no {kind} {target} in {repository}: {details or 'not found'}{known}",
        "correct the image name",
    )


def error_details(response: Response) -> str:
    """What the server says about its refusal: distribution-spec, "Error Codes". Bounded, printable, one
    line.
    """
    response.hurry()
    try:
        body = response.read_all(MAX_ERROR_BODY)
    except Exception:  # the refusal itself is what matters
        return ""
    finally:
        response.close()
    return parse_error_details(body)


def parse_error_details(body: bytes) -> str:
    try:
        errors = parse_json_object(body, "error", MAX_ERROR_BODY).get("errors")
    except CoracleError:
        return ""
    found = [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    texts = [item.get("message") or item.get("code") for item in found[:3]]
    return printable("; ".join(text for text in texts if isinstance(text, str)))


def printable(text: str, limit: int = 300) -> str:
    """A stranger's text, fit for a terminal and a log."""
    return "".join(character if character.isprintable() else "?" for character in text[:limit])


def parse_retry_after(value: str) -> float:
    """Seconds from now: `120` or a date (RFC 9110, 10.2.3); 0 for anything else. Capped by `Patience`."""
    import email.utils

    if value.isascii() and value.isdigit():
        return float(value[:6])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0
