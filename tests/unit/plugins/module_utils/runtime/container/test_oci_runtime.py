# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.oci_runtime import (
    OciRuntime,
    clean,
    failure_from,
    message_from_log,
    shell_code,
)

RUNC = (
    'time="2026-11-24T03:44:22Z" level=error msg="runc create failed: unable to start container process: '
    'exec: \\"/nope\\": stat /nope: no such file or directory"\n'
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("executable file `/nope` not found in $PATH\n", "executable file `/nope` not found in $PATH"),
        (RUNC, 'exec: "/nope": stat /nope: no such file or directory'),
        (RUNC + RUNC, 'exec: "/nope": stat /nope: no such file or directory'),
        ("one\n\n two\n", "one; two"),
        ("evil \033[31mred\0", "evil ?[31mred?"),
        ("", ""),
    ],
)
def test_clean(said: str, meant: str) -> None:
    assert clean(said) == meant


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (b"", ""),
        (b"not json\n[]\n1\n", ""),
        (b'{"level":"warning","msg":"a"}\n', ""),
        (b'{"level":"error","msg":"a"}\n{"level":"error","msg":"b"}\n{"level":"info","msg":"c"}\n', "b"),
        (b'{"level":"error","msg":"a"}\n{"level":"err', "a"),
    ],
)
def test_message_from_log(log: bytes, message: str) -> None:
    assert message_from_log(log) == message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("executable file `x` not found in $PATH", "does not have"),
        ("executable file `x` not found: No such file or directory", "does not have"),  # crun 1.21
        ('exec: "/nope": stat /nope: no such file or directory', "does not have"),
        ("open executable: Permission denied", "executable in the image"),
        ("something new", ""),
    ],
)
def test_remedies(text: str, hint: str) -> None:
    failure = failure_from("crun create", text)
    assert failure.message == f"crun create: {text}"
    assert hint in failure.hint
    assert bool(hint) == bool(failure.hint)


def test_arguments() -> None:
    assert OciRuntime("/usr/bin/crun", "/run/x").global_arguments == [
        "--root=/run/x",
        "--cgroup-manager=cgroupfs",
    ]
    assert OciRuntime("/usr/sbin/runc", "/run/x").global_arguments == ["--root=/run/x"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("executable file `x` not found in $PATH: No such file or directory", 127),
        (
            'exec failed: unable to start container process: exec: "x": executable file not found in $PATH',
            127,
        ),
        ('exec: "/nope": stat /nope: no such file or directory', 127),
        ("exec: No such file or directory", 127),
        ("open executable: Permission denied", 126),
        ("open executable: Operation not permitted", 126),
        ('exec: "/etc": permission denied', 126),
        ("exec: Exec format error", 126),
        ("mount `proc`: No space left on device", None),
    ],
)
def test_codes_of_a_shell(text: str, code: int | None) -> None:
    assert shell_code(text) == code
