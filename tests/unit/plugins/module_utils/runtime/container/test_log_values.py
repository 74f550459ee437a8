# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import log_values
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_segments import (
    DEFAULT_LIMITS,
    Limits,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_values import (
    check_journal,
    limits_of_log,
    parse_log_driver,
    parse_log_options,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import HostNotReady, InvalidInput

M = 1 << 20


@pytest.mark.parametrize("text", ["k8s-file", "json-file", "local"])
def test_drivers_that_are_files(text: str) -> None:
    assert parse_log_driver(text, "log_driver") == "k8s-file"


@pytest.mark.parametrize(
    ("given", "normal", "limits"),
    [
        ({}, None, DEFAULT_LIMITS),
        ({"max-size": "10m", "max-file": "3"}, None, DEFAULT_LIMITS),
        ({"max-size": "10240K", "max-file": None}, None, DEFAULT_LIMITS),
        ({"max-size": 1048576}, {"max-size": "1m"}, Limits(M, 3)),
        ({"max-size": "1.5m", "max-file": 1}, {"max-size": "1536k", "max-file": "1"}, Limits(3 * M // 2, 1)),
        ({"max-file": "05"}, {"max-file": "5"}, Limits(10 * M, 5)),
        ({"max-size": -1}, {"max-size": "-1"}, Limits(256 * M, 0)),
        ({"tag": "web"}, {"tag": "web"}, DEFAULT_LIMITS),
    ],
)
def test_options(given: t.Any, normal: dict[str, str] | None, limits: Limits) -> None:
    assert parse_log_options(given, "log_options") == normal
    assert parse_log_options(normal or {}, "log_options") == normal
    assert limits_of_log(ContainerConfig(log_options=normal)) == limits


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"compress": "true"}, "log_options: 'compress' is unknown (known: max-size, max-file"),
        ({"max-size": "1k"}, "log_options: max-size: '1k' is too little"),
        ({"max-size": "big"}, "log_options: max-size: 'big' is not a size"),
        ({"max-file": 0}, "log_options: max-file: 0 is not between 1 and 1000"),
        ({"tag": "{{.Name}}"}, "log_options: tag: '{{.Name}}' is a template"),
        (["max-size=1m"], "is not a dictionary"),
    ],
)
def test_options_that_are_refused(given: t.Any, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_log_options(given, "log_options")
    assert problem in str(caught.value)


def test_other_drivers_are_refused_with_what_there_is() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_log_driver("fluentd", "log_driver")
    assert "write k8s-file (or json-file), journald or none" in str(caught.value)


def test_a_journal_needs_conmon_and_its_socket(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without, with_it = tmp_path / "plain", tmp_path / "conmon"
    without.write_bytes(b"\x7fELF libc.so.6")
    with_it.write_bytes(b"\x7fELF libc.so.6\0libsystemd.so.0\0")
    monkeypatch.setattr(log_values, "_JOURNAL", str(tmp_path / "socket"))
    with pytest.raises(HostNotReady, match="was built without journald"):
        check_journal(str(without))
    with pytest.raises(HostNotReady, match="systemd-journald does not run"):
        check_journal(str(with_it))
    (tmp_path / "socket").touch()
    check_journal(str(with_it))
