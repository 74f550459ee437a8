# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The same for several names: what went well is printed, what did not is told, and the rest goes on."""

from __future__ import annotations

import typing as t

from ..errors import CoracleError, from_os_error

if t.TYPE_CHECKING:
    from .context import Context


def for_each(context: Context, names: t.Iterable[str], act: t.Callable[[str], str | None]) -> int:
    """Call `act` with each name; it returns what to print instead of the name, "" for nothing, or None for
    the name itself.

    The exit code: 1 if something has failed. With `--json` one list of `{"name", "error"}` at the end.
    """
    answers: list[dict[str, str]] = []
    for name in names:
        try:
            said = act(name)
        except BrokenPipeError:
            raise
        except (CoracleError, OSError) as caught:
            from .spoken import as_typed

            error = caught if isinstance(caught, CoracleError) else from_os_error(caught)
            answers.append({"name": name, "error": as_typed(str(error))})
            context.complain(str(error))
        else:
            answers.append({"name": said or name, "error": ""})
            if said != "" and not context.json:
                context.say(said or name)
    if context.json:
        context.say_json(answers)
    return int(any(answer["error"] for answer in answers))
