# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.modes import parse_mode
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


@pytest.mark.parametrize(
    ("value", "bits"), [("0644", 0o644), ("644", 0o644), ("0o4755", 0o4755), (420, 0o644), ("0", 0)]
)
def test_numbers(value: t.Any, bits: int) -> None:
    assert parse_mode(value, "mode").applied(0o777) == bits


@pytest.mark.parametrize(
    "value", ["", "rw", "0888", "u=rwz", "u", "+rw,", -1, 0o10000, "77777", True, "u=g+rw5"]
)
def test_what_is_no_mode(value: t.Any) -> None:
    with pytest.raises(InvalidInput, match=r"^mode: "):
        parse_mode(value, "mode")


@pytest.mark.parametrize("is_directory", [False, True])
@pytest.mark.parametrize("current", [0o644, 0o755, 0o4711, 0o600, 0o2775, 0o1777])
@pytest.mark.parametrize(
    "text",
    [
        "u=rw,g=r,o=",
        "a+X",
        "g+w",
        "o-rwx",
        "u+s",
        "u+s,g-s",
        "ug=rwx,o=rx",
        "g=u",
        "o=g-w",
        "+t",
        "a=rX",
        "u-x+r",
    ],
)
def test_as_chmod(tmp_path: pathlib.Path, text: str, current: int, is_directory: bool) -> None:
    path = tmp_path / "it"
    if is_directory:
        path.mkdir()
    else:
        path.touch()
    path.chmod(current)
    subprocess.run(["chmod", text, path], check=True, preexec_fn=lambda: os.umask(0) and None)
    assert (
        f"{parse_mode(text, 'mode').applied(current, is_directory):04o}"
        == f"{path.stat().st_mode & 0o7777:04o}"
    )
