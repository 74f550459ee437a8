# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""From the parameters of a task to the options of the registry client."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.registry_options import (
    REGISTRY,
    registry_options,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions


def read(**given: t.Any) -> RegistryOptions:
    defaults = {name: option.get("default") for name, option in REGISTRY.options.items()}
    return registry_options({**defaults, **given})


def test_without_options_it_is_the_client_s_default() -> None:
    assert read() == RegistryOptions()


def test_every_option_of_the_client_can_be_given() -> None:
    given = {
        "username": "ann",
        "password": "secret",
        "auth_file": "/auth.json",
        "validate_certs": False,
        "ca_cert": "/ca.pem",
        "client_cert": "/cert.pem",
        "client_key": "/key.pem",
        "mirrors": {"docker.io": "mirror:5000", "quay.io": ["a", "b/prefix"]},
        "insecure_registries": ["x:5000"],
        "token_servers": ["auth.example.com"],
        "registry_timeout": 3.0,
        "registry_retries": 1,
    }
    assert set(given) == set(REGISTRY.options)
    options = read(**given)
    assert all(value != default for value, default in zip(options, RegistryOptions()))
    assert options.mirrors == {"docker.io": ("mirror:5000",), "quay.io": ("a", "b/prefix")}
    assert (options.timeout, options.retries) == (3.0, 1)


def test_the_password_is_kept_out_of_logs() -> None:
    assert REGISTRY.options["password"]["no_log"] is True
    assert "secret" not in repr(read(username="ann", password="secret"))


@pytest.mark.parametrize("value", [1, None, [1], [""], {"a": "b"}])
def test_mirrors_are_texts(value: t.Any) -> None:
    with pytest.raises(InvalidInput, match=r"mirrors: the value for 'docker\.io'"):
        read(mirrors={"docker.io": value})


def test_contradictions_are_refused() -> None:
    with pytest.raises(InvalidInput, match="password is missing"):
        read(username="ann")
