# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as Compose reads it: version 1.2, in which `22:22` and `yes` are texts, with merge keys."""

from __future__ import annotations

import re
import typing as t

import yaml

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

_SCALARS = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: t.ClassVar[dict[str, t.Any]] = {}

    def construct_mapping(self, node: t.Any, deep: bool = False) -> dict[t.Any, t.Any]:
        """Whoever writes a key twice has lost one of them."""
        seen: set[str] = set()
        for key, _value in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} is there twice", key.start_mark
                )
            seen.add(key.value)
        return t.cast("dict[t.Any, t.Any]", super().construct_mapping(node, deep))


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), [c.strip("\0") for c in _first])


def parse_document(content: bytes, name: str) -> dict[str, t.Any]:
    """The mapping that a file holds. InvalidInput names file and line."""
    try:
        document = yaml.load(content, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{name} is not YAML: {_told(error)}", "docker compose config reads it the same"
        ) from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{name} is not a Compose file: it is no mapping", "it begins with services:")
    return document


def _told(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark is not None else ""
    return line + str(getattr(error, "problem", None) or str(error).split("\n", maxsplit=1)[0])
