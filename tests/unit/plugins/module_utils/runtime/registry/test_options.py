# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions


def test_the_default_is_fine() -> None:
    assert RegistryOptions().check() == RegistryOptions()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"username": "ann"}, "password is missing"),
        ({"password": "x"}, "username is missing"),
        ({"username": "a:b", "password": "x"}, "colons"),
        ({"username": "a\nb", "password": "x"}, "control characters"),
        ({"client_key": "/key"}, "client_key is given without client_cert"),
        ({"timeout": 0}, "timeout"),
        ({"retries": -1}, "retries"),
    ],
)
def test_contradictions(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        RegistryOptions(**options).check()


def test_a_password_can_be_a_whole_file() -> None:
    """Google's registries take a service account's JSON key as the password of `_json_key`."""
    RegistryOptions(username="_json_key", password='{\n  "type": "service_account"\n}\n').check()


def test_the_password_is_not_shown() -> None:
    shown = repr(RegistryOptions(username="ann", password="hunter2-XYZ"))
    assert "ann" in shown
    assert "hunter2" not in shown
