# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""TLS settings per server: verified by default, with what the host's administrator and the task add.

    /etc/containers/certs.d/<host[:port]>/*.crt            further authorities, trusted for this server only
    /etc/docker/certs.d/<host[:port]>/*.cert + *.key       a client certificate, shown to this server only

as Docker and Podman have them. A task's `ca_cert` is trusted in addition; its `client_cert` is a credential
and is shown to the registry itself, never to a redirect target or a token server on another host.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..errors import InvalidInput
from .origins import DEFAULT_PORTS, Origin

if t.TYPE_CHECKING:
    import ssl

CERTIFICATE_DIRECTORIES = ("/etc/containers/certs.d", "/etc/docker/certs.d")


def tls_context(
    origin: Origin,
    *,
    verify: bool = True,
    ca_cert: str = "",
    client_cert: str = "",
    client_key: str = "",
) -> ssl.SSLContext:
    """A context for connections to `origin`. `InvalidInput` names the file that cannot be used."""
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if ca_cert:
        with _usable("ca_cert", ca_cert):
            context.load_verify_locations(ca_cert)
    if client_cert:
        with _usable("client_cert", client_cert):
            context.load_cert_chain(client_cert, client_key or None, _no_password)
    for directory in _directories_of(origin):
        _add_directory(context, directory)
    return context


def _directories_of(origin: Origin) -> list[str]:
    names = [origin.host_header]
    if origin.port == DEFAULT_PORTS[origin.scheme]:
        names.append(f"{origin.host_header}:{origin.port}")
    paths = [os.path.join(directory, name) for directory in CERTIFICATE_DIRECTORIES for name in names]
    return [path for path in paths if os.path.isdir(path)]


def _add_directory(context: ssl.SSLContext, directory: str) -> None:
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        with _usable("certificate", path):
            if name.endswith(".crt"):
                context.load_verify_locations(path)
            elif name.endswith(".cert"):
                context.load_cert_chain(path, path[: -len("cert")] + "key", _no_password)


@contextlib.contextmanager
def _usable(what: str, path: str) -> t.Iterator[None]:
    import ssl

    try:
        yield
    except ssl.SSLError:
        raise InvalidInput(f"{what} {path}: no usable PEM certificate or key in it") from None
    except OSError as error:
        raise InvalidInput(f"{what} {path}: {error.strerror}") from None


def _no_password() -> t.NoReturn:
    """Without this, OpenSSL would ask for the password of an encrypted key on the terminal."""
    raise InvalidInput("the client key is encrypted", "give a key without a password")
