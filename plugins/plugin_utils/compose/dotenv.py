# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of `NAME=value` lines as Compose reads them: `.env` and those that `env_file` names.

Values may be in single quotes (as they are), in double quotes (with variables, `\\n` and the like, over
several lines), or bare (with variables, up to ` #`). A name alone takes its value from the variables that are
known, or is not set. `export ` in front is allowed.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

from .interpolate import Interpolation
from .place import Place

_ENTRY = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.\-]*)[ \t]*
    (?:(?P<equals>[=:])[ \t]*(?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^\n]*)))?
    (?P<rest>[^\n]*)(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


def parse_dotenv(content: bytes, name: str, known: t.Mapping[str, str]) -> dict[str, str]:
    """The variables of a file; those that are `known` can be used in it. InvalidInput names file and line."""
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 text at byte {error.start}") from error
    found: dict[str, str] = {}
    start = 0
    while start < len(text):
        nothing = _NOTHING.match(text, start)
        if nothing is not None:
            start = nothing.end()
            continue
        entry = _ENTRY.match(text, start)
        line = f"{name}, line {text.count(chr(10), 0, start) + 1}"
        if entry is None or entry["rest"].partition("#")[0].strip():
            raise InvalidInput(f"{line} is not NAME=value", "quote values with quotes or line ends in them")
        _take(entry, found, known, line)
        start = entry.end()
    return found


def _take(entry: re.Match[str], found: dict[str, str], known: t.Mapping[str, str], line: str) -> None:
    name = entry["name"]
    if entry["equals"] is None:
        if name in known:
            found[name] = known[name]
        return
    if entry["single"] is not None:
        found[name] = entry["single"]
        return
    if entry["double"] is not None:
        value = re.sub(
            r"\\(.)", lambda sign: _ESCAPES.get(sign[1], sign[0]), entry["double"], flags=re.DOTALL
        )
    else:
        value = re.split(r"(?:^|\s)#", entry["bare"], maxsplit=1)[0].strip()
    found[name] = Interpolation({**found, **known}).text(value, Place(value, line))
