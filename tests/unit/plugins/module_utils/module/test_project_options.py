# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is hidden of the declarations of many containers."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.project_options import hidden_values


def secret(value: t.Any) -> dict[str, t.Any]:
    return {"secrets": [{"name": "pin", "value": value}]}


@pytest.mark.parametrize(
    ("params", "hidden"),
    [
        ({"containers": [secret("hunter2")], "defaults": secret(123456)}, ["hunter2", "123456"]),
        ({"containers": [secret(""), secret(None), secret(True), {"secrets": ["file"]}, "web"]}, []),
        ({"containers": "web", "defaults": "x"}, []),
        ({}, []),
    ],
)
def test_contents_of_secrets_are_hidden_however_written(params: dict[str, t.Any], hidden: list[str]) -> None:
    assert hidden_values(params) == hidden
