# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `container_exec`, read into what the engine runs."""

from __future__ import annotations

import typing as t

from ..runtime.container.environment_values import parse_env
from ..runtime.container.exec_process import ExecRequest
from ..runtime.container.mount_values import parse_working_dir
from ..runtime.container.values import parse_arguments, parse_user
from ..runtime.errors import InvalidInput
from .argspec import ArgumentSpec

EXEC = ArgumentSpec(
    {
        "container": {"type": "str", "required": True, "aliases": ["name"]},
        "argv": {"type": "list", "elements": "str"},
        "command": {"type": "str"},
        "chdir": {"type": "str"},
        "user": {"type": "str"},
        "env": {"type": "dict"},
        "stdin": {"type": "str"},
        "stdin_add_newline": {"type": "bool", "default": True},
        "strip_empty_ends": {"type": "bool", "default": True},
        "tty": {"type": "bool", "default": False},
        "privileged": {"type": "bool", "default": False},
        "detach": {"type": "bool", "default": False},
        "timeout": {"type": "float"},
        "creates": {"type": "str"},
        "removes": {"type": "str"},
    },
    mutually_exclusive=[("argv", "command"), ("detach", "timeout")],
    required_one_of=[("argv", "command")],
)


def read_exec_request(params: dict[str, t.Any]) -> ExecRequest:
    arguments = parse_arguments(params["argv"] or params["command"] or [], "command")
    if not arguments:
        raise InvalidInput("command: there is nothing to run", "give argv or command", option="command")
    if params["detach"] and params["stdin"] is not None:
        raise InvalidInput("stdin: nobody would write it with detach: true", "leave one of them out")
    return ExecRequest(
        arguments,
        user=parse_user(params["user"], "user") if params["user"] is not None else "",
        env=parse_env(params["env"] or {}, "env"),
        working_dir=parse_working_dir(params["chdir"], "chdir") if params["chdir"] is not None else "",
        tty=params["tty"],
        privileged=params["privileged"],
    )


def read_input(params: dict[str, t.Any]) -> bytes | None:
    if params["stdin"] is None:
        return None
    text: str = params["stdin"] + ("\n" if params["stdin_add_newline"] else "")
    return text.encode("utf-8", "surrogateescape")


def read_timeout(params: dict[str, t.Any]) -> float | None:
    timeout: float | None = params["timeout"]
    if timeout is not None and not 0 < timeout < float("inf"):
        raise InvalidInput(f"timeout: {timeout:g} is not a time to wait", "give seconds", option="timeout")
    return timeout
