# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`env`, `env_file` and `labels`: names with values. Values may be secrets: no error ever shows one."""

from __future__ import annotations

import typing as t

from ..errors import InvalidInput
from .values import cannot_be_passed, has_control_characters, kind_of, refuse


def parse_env(value: t.Any, option: str) -> dict[str, str]:
    """Strings by name. Numbers and booleans are refused: YAML turns `yes` into `True` and `010` into `8`."""
    if not isinstance(value, dict):
        raise InvalidInput(
            f"{option}: {kind_of(value)} is not a dictionary", "write NAME: value pairs", option=option
        )
    for name, content in value.items():
        _check_name(name, option)
        if not isinstance(content, str):
            raise InvalidInput(
                f"{option}: the value of {name} is {kind_of(content)}, not a string",
                f'quote it, for example {name}: "..."',
                option=option,
            )
        if cannot_be_passed(content):
            raise InvalidInput(
                f"{option}: the value of {name} contains a NUL byte or is not UTF-8", option=option
            )
    return {name: value[name] for name in sorted(value)}


def _check_name(name: t.Any, option: str) -> None:
    if not isinstance(name, str) or not name or "=" in name or has_control_characters(name):
        raise refuse(name, option, "is not the name of an environment variable")


def parse_env_file(content: bytes, path: str) -> dict[str, str]:
    """Docker's format: `NAME=value` lines taken literally (quotes too), `#` comments, no BOM.

    A bare `NAME`, which the docker command fills from its own environment, is refused: nobody chose ours.
    """
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        problem = f"env_file: {path} is not UTF-8 text at byte {error.start}"
        raise InvalidInput(problem, option="env_file") from error
    variables = {}
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r").lstrip(" \t")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name or any(sign.isspace() for sign in name) or "\0" in line:
            raise InvalidInput(f"env_file: line {number} of {path} is not NAME=value", option="env_file")
        variables[name] = value
    return parse_env(variables, "env_file")


def parse_labels(value: t.Any, option: str) -> dict[str, str]:
    """Strings by name; whole numbers become text, booleans and fractions (which have several) are refused."""
    if not isinstance(value, dict):
        raise refuse(value, option, "is not a dictionary", "write name: value pairs")
    labels = {}
    for name in sorted(value, key=str):
        content = value[name]
        if not isinstance(name, str) or not name or has_control_characters(name):
            raise refuse(name, option, "is not the name of a label", "quote it")
        if content is None:
            content = ""
        if isinstance(content, bool) or not isinstance(content, (str, int)):
            problem = f"{option}: the value of {name} is {kind_of(content)}, not a string"
            raise InvalidInput(problem, "quote it", option=option)
        if cannot_be_passed(str(content)):
            raise InvalidInput(
                f"{option}: the value of {name} contains a NUL byte or is not UTF-8", option=option
            )
        labels[name] = str(content)
    return labels
