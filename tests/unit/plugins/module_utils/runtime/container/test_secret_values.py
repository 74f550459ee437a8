# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.contradictions import (
    check_config,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.secret_values import (
    inspect_secrets,
    parse_secrets,
    secret_environment,
    write_secrets,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError, InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    described,
    differences,
)


def test_normal_form(tmp_path: pathlib.Path) -> None:
    (tmp_path / "key").write_bytes(b"\0\xff")
    secrets = parse_secrets(
        [
            {"name": "token", "value": "hunter2", "uid": 33, "mode": "400", "path": None},
            {"name": "key", "path": str(tmp_path / "key"), "target": "/etc/app/key"},
            {"name": "pass", "value": "hunter2", "env": "PASS"},
        ],
        "secrets",
    )
    assert secrets == [
        {"name": "key", "content": "AP8=", "target": "/etc/app/key", "uid": 0, "gid": 0, "mode": "0444"},
        {"name": "pass", "content": "aHVudGVyMg==", "env": "PASS"},
        {
            "name": "token",
            "content": "aHVudGVyMg==",
            "target": "/run/secrets/token",
            "uid": 33,
            "gid": 0,
            "mode": "0400",
        },
    ]
    assert parse_secrets(secrets, "secrets") == secrets
    assert secret_environment(ContainerConfig(secrets=secrets)) == {"PASS": "hunter2"}


def test_files_of_a_run(tmp_path: pathlib.Path) -> None:
    given = [
        {"name": "token", "value": "hunter2", "uid": os.getuid(), "gid": os.getgid(), "mode": "0440"},
        {"name": "pass", "value": "hunter2", "env": "PASS"},
    ]
    config = described({"secrets": given})
    written = write_secrets(config, str(tmp_path))
    assert list(written) == ["/run/secrets/token"]
    place = written["/run/secrets/token"]
    assert pathlib.Path(place).read_text() == "hunter2"
    assert os.stat(place).st_mode & 0o777 == 0o440
    assert os.stat(os.path.dirname(place)).st_mode & 0o777 == 0o700
    assert "hunter" not in json.dumps(inspect_secrets(config))
    assert write_secrets(ContainerConfig(), str(tmp_path / "none")) == {}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("hunter2", "is not a list"),
        (["hunter2"], "has an item that is text"),
        ([{"name": "x", "valeu": "hunter2"}], "'valeu' is unknown (known: name, value"),
        ([{"value": "hunter2"}], "name: '' is not a name"),
        ([{"name": "../x", "value": "hunter2"}], "is not a name"),
        ([{"name": "x"}], "'x' needs either value or path"),
        ([{"name": "x", "value": "hunter2", "path": "/y"}], "'x' needs either value or path"),
        ([{"name": "x", "value": ["hunter2"]}], "secrets: x: value: '…' is a list, not text"),
        ([{"name": "x", "value": ""}], "secrets: x: '' is empty"),
        ([{"name": "x", "value": "hunter2" * 80000}], "has more than 512000 bytes"),
        ([{"name": "x", "value": "hunter2", "mode": 256}], "mode: 256 is not text with a mode"),
        ([{"name": "x", "value": "hunter2", "target": "../../etc/passwd"}], 'contains ".."'),
        ([{"name": "x", "value": "hunter2", "env": "A=B"}], "is not the name of an environment variable"),
        ([{"name": "x", "value": "hunter2", "env": "A", "uid": 1}], "uid: 1 has no meaning with env"),
        ([{"name": "x", "value": "hunter2\0", "env": "A"}], "cannot be a variable"),
        ([{"name": "x", "content": "hunter2"}], "is not base64"),
        ([{"name": "x", "value": "hunter2"}] * 2, "'x' is there twice"),
        ([{"name": "x", "path": "/nowhere/hunter"}], "secrets: x: path: there is no file /nowhere/hunter"),
    ],
)
def test_what_is_wrong_is_told_without_the_content(given: t.Any, problem: str) -> None:
    with pytest.raises(CoracleError) as caught:
        parse_secrets(given, "secrets")
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"env": {"A": "1"}, "secrets": [{"name": "x", "value": "y", "env": "A"}]},
            "A is in the environment twice",
        ),
        (
            {"tmpfs": ["/run/secrets/x"], "secrets": [{"name": "x", "value": "y"}]},
            "/run/secrets/x is in secrets and in tmpfs",
        ),
    ],
)
def test_contradictions(options: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_config(described(options))
    assert problem in str(caught.value)


def test_differences_have_no_content() -> None:
    then = described(
        {
            "secrets": [
                {"name": "a", "value": "hunter1"},
                {"name": "b", "value": "hunter1"},
                {"name": "c", "value": "hunter1"},
            ]
        }
    )
    now = described(
        {
            "secrets": [
                {"name": "a", "value": "hunter2"},
                {"name": "b", "value": "hunter1", "env": "B"},
                {"name": "d", "value": "hunter1"},
            ]
        }
    )
    [difference] = differences(then, now)
    assert difference.describe() == "secrets: a is changed, b is changed, c is no longer wanted, d is new"
    assert difference.before[0] == "a:/run/secrets/a:0:0:0444"
    assert difference.after[:2] == ["a:/run/secrets/a:0:0:0444 (hidden, changed)", "b:env=B"]
    for hidden in ("hunter", "aHVud"):
        assert hidden not in json.dumps(difference.to_json())
