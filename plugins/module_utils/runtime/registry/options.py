# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a task may say about registries."""

from __future__ import annotations

import typing as t

from ..errors import InvalidInput


class RegistryOptions(t.NamedTuple):
    """Everything is optional. Its `repr` shows no secret."""

    username: str = ""
    password: str = ""
    auth_file: str = ""
    """A Docker `config.json` or a `containers-auth.json` to use instead of those of the user."""
    validate_certs: bool = True
    """False: the certificate of the registry in the image name is not checked. Other servers' are."""
    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""
    mirrors: t.Mapping[str, t.Sequence[str]] = {}
    """Registry → mirrors to ask first, in order: `host[:port][/prefix]`, or with `http://` or `https://`."""
    insecure_registries: t.Sequence[str] = ()
    """`host[:port]` that may be spoken to over unverified TLS or plain HTTP; `http://host[:port]`: plain HTTP
    only.
    """
    token_servers: t.Sequence[str] = ()
    """`host[:port]` of token servers that may see credentials although they are not on the registry's
    domain.
    """
    timeout: float = 15.0
    """Seconds without progress after which a transfer counts as stalled."""
    retries: int = 4
    """Attempts after the first one, counted again after each progress."""

    def __repr__(self) -> str:
        shown = self._replace(password="********" if self.password else "")
        return "RegistryOptions(" + ", ".join(f"{k}={v!r}" for k, v in shown._asdict().items()) + ")"

    def check(self) -> RegistryOptions:
        """Itself; `InvalidInput` when options contradict each other."""
        if bool(self.username) != bool(self.password):
            missing = "password" if self.username else "username"
            raise InvalidInput(
                f"registry {missing} is missing", "give both username and password, or neither"
            )
        if ":" in self.username or not self.username.isprintable():
            raise InvalidInput("registry username: colons and control characters are not possible in HTTP")
        if self.client_key and not self.client_cert:
            raise InvalidInput("client_key is given without client_cert")
        if not 0 < self.timeout <= 3600 or not 0 <= self.retries <= 100:
            raise InvalidInput("registry timeout must be up to 3600 seconds and retries up to 100")
        return self
