# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a task about its Compose file, and the options of `containers` that they stand for."""

from __future__ import annotations

import posixpath
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

from .convert import Converted, Settings, convert
from .document import parse_document
from .dotenv import parse_dotenv
from .stack import Files

OPTIONS = (
    "compose",
    "compose_file",
    "compose_directory",
    "compose_environment",
    "compose_profiles",
    "remote_src",
)
_LISTS = ("containers", "networks", "volumes")

Arguments = t.Mapping[str, t.Any]


def has_compose(args: Arguments) -> bool:
    return args.get("compose") is not None or args.get("compose_file") is not None


def is_on_target(args: Arguments) -> bool:
    return bool(boolean(args.get("remote_src", False), strict=False))


def expanded(args: Arguments, read: Files, beside: str = "") -> tuple[dict[str, t.Any], list[str]]:
    """The arguments for the module, and warnings. `read` finds files in the directory of the Compose file,
    which is `beside`.
    """
    _check(args)
    converted = _converted(args, read, beside)
    rest = {name: value for name, value in args.items() if name not in OPTIONS}
    own = {name: getattr(converted, name) for name in _LISTS}
    both = {name: _joined(own[name], rest.get(name)) for name in _LISTS}
    return {**rest, "project": converted.project, **both}, converted.warnings


def _joined(first: list[t.Any], second: t.Any) -> t.Any:
    """What is no list is for the module to refuse."""
    if second is None or isinstance(second, list):
        return [*first, *(second or ())]
    return second


def _check(args: Arguments) -> None:
    given = [name for name in ("compose", "compose_file") if args.get(name) is not None]
    if len(given) > 1:
        raise InvalidInput("there are compose and compose_file", "keep one of them")
    if not args[given[0]]:
        raise InvalidInput(f"{given[0]} is empty", "leave it out, or declare services in it")
    if not isinstance(args.get("compose_environment") or {}, dict):
        raise InvalidInput("compose_environment is not a dictionary", "write NAME: value pairs")
    if is_on_target(args) and not str(args.get("compose_file") or "/").startswith("/"):
        raise InvalidInput(
            f"compose_file: {args['compose_file']} is not an absolute path", "with remote_src it has to be"
        )
    directory = args.get("compose_directory")
    if directory and not str(directory).startswith("/"):
        raise InvalidInput(
            f"compose_directory: {directory} is not an absolute path", "it is a directory of the target"
        )


def _converted(args: Arguments, read: Files, beside: str) -> Converted:
    path = str(args.get("compose_file") or "")
    variables = _variables(args, read)
    profiles = args.get("compose_profiles") or variables.get("COMPOSE_PROFILES") or ()
    directory = args.get("compose_directory") or (beside if is_on_target(args) else "")
    settings = Settings(
        project=str(args.get("project") or ""),
        fallback=_name_of(beside),
        directory=str(directory),
        profiles=[word.strip() for word in profiles.split(",")] if isinstance(profiles, str) else profiles,
        variables=variables,
        read=read,
    )
    return convert(_document(args, path, read), settings)


def _name_of(directory: str) -> str:
    """Of a project whose file lies there. A role keeps its files in `files`, which names nothing."""
    name = posixpath.basename(directory)
    return "" if name == "files" else name


def _variables(args: Arguments, read: Files) -> dict[str, str]:
    """What the task says, over what is in `.env`."""
    said = {str(name): _as_text(value) for name, value in (args.get("compose_environment") or {}).items()}
    content = read(".env") if args.get("compose_file") else None
    return {**(parse_dotenv(content, ".env", said) if content is not None else {}), **said}


def _as_text(value: t.Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _document(args: Arguments, path: str, read: Files) -> Arguments:
    inline = args.get("compose")
    if isinstance(inline, dict):
        return inline
    if inline:
        return parse_document(str(inline).encode(), "compose")
    content = read(posixpath.basename(path))
    if content is None:
        raise InvalidInput(
            f"there is no file {path}",
            "compose_file is a path of the controller, or with remote_src of the target",
        )
    return parse_document(content, path)
