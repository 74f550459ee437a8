# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of every module that may talk to a registry, and what they mean to the engine.

Documented in the fragment `coracle.engine._registry`.
"""

from __future__ import annotations

import typing as t

from ..runtime.errors import InvalidInput
from .argspec import ArgumentSpec

if t.TYPE_CHECKING:
    from ..runtime.registry.options import RegistryOptions

_LIST = {"type": "list", "elements": "str", "default": []}

REGISTRY = ArgumentSpec(
    {
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "auth_file": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "ca_cert": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "mirrors": {"type": "dict", "default": {}},
        "insecure_registries": _LIST,
        "token_servers": {**_LIST, "no_log": False},
        "registry_timeout": {"type": "float", "default": 15.0},
        "registry_retries": {"type": "int", "default": 4},
    },
    required_together=[("username", "password")],
    required_by={"client_key": ("client_cert",)},
)


def registry_options(params: t.Mapping[str, t.Any]) -> RegistryOptions:
    """The engine's view of the parameters. InvalidInput where they contradict each other."""
    from ..runtime.registry.options import RegistryOptions

    return RegistryOptions(
        username=params["username"] or "",
        password=params["password"] or "",
        auth_file=params["auth_file"] or "",
        validate_certs=params["validate_certs"],
        ca_cert=params["ca_cert"] or "",
        client_cert=params["client_cert"] or "",
        client_key=params["client_key"] or "",
        mirrors={name: _mirrors(name, value) for name, value in params["mirrors"].items()},
        insecure_registries=tuple(params["insecure_registries"]),
        token_servers=tuple(params["token_servers"]),
        timeout=params["registry_timeout"],
        retries=params["registry_retries"],
    ).check()


def _mirrors(registry: str, value: t.Any) -> tuple[str, ...]:
    """One mirror as a text, or several as a list."""
    mirrors = [value] if isinstance(value, str) else value
    if not isinstance(mirrors, list) or not all(isinstance(mirror, str) and mirror for mirror in mirrors):
        raise InvalidInput(
            f"mirrors: the value for {registry!r} is not a list of hosts", "write host[:port][/prefix]"
        )
    return tuple(mirrors)
