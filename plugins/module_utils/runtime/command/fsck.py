# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle fsck`: is everything whole, and does everything belong to something?"""

from __future__ import annotations

import argparse
import typing as t

from .registry_flags import add_registry_flags, registry_options

if t.TYPE_CHECKING:
    from ..operations.check_store import Checked
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repair", action="store_true", help="Mend what can be mended")
    parser.add_argument(
        "--content", action="store_true", help="Read every blob, and count what is in every layer"
    )
    add_registry_flags(parser)
    parser.epilog = """
        coracle fsck                       changes nothing; exit code 1 if something is wrong
        coracle fsck --content --repair    after a disk has failed
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.check_store import Checked, check_store, repair_store

    how = registry_options(options)
    if options.repair:
        found = repair_store(context.engine, content=options.content, options=how)
    else:
        found = map(Checked, check_store(context.engine, content=options.content, options=how))
    seen = []
    for checked in found:
        seen.append(checked)
        if not context.json:
            context.say(_sentence(checked, options.repair))
    if context.json:
        context.say_json([_document(checked) for checked in seen])
    else:
        context.say(_summary(seen, options.repair))
    return int(any(not checked.mended for checked in seen))


def _sentence(checked: Checked, repairs: bool) -> str:
    text = checked.finding.describe()
    if checked.mended:
        return f"{text}: repaired"
    if checked.error:
        return f"{text}: NOT repaired: {checked.error}"
    return f"{text}: NOT repaired" if repairs else text


def _summary(seen: list[Checked], repairs: bool) -> str:
    if not seen:
        return "everything is as it should be"
    left = sum(not checked.mended for checked in seen)
    problems = "1 problem" if len(seen) == 1 else f"{len(seen)} problems"
    if repairs:
        return f"{problems}, {left} left"
    mendable = sum(checked.finding.mend is not None for checked in seen)
    return f"{problems}, of which coracle fsck --repair can mend {mendable}"


def _document(checked: Checked) -> dict[str, t.Any]:
    return {
        "problem": checked.finding.problem,
        "advice": checked.finding.advice,
        "repairable": checked.finding.mend is not None,
        "repaired": checked.mended,
        "error": checked.error,
    }
