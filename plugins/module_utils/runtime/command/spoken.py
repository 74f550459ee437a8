# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the engine says in the words of who writes tasks, in those of who types: `--publish` for
`published_ports`, and nobody is told to run a task again.
"""

from __future__ import annotations

import re

from .container_options import OPTIONS

_PHRASES = (
    ("another task has removed it: run the task again", "somebody has removed it meanwhile"),
    ("another task has changed it meanwhile", "somebody has changed it meanwhile"),
    ("another task is working with it", "somebody is working with it"),
    ("a task is working with it", "somebody is working with it"),
    ("a task waits for its output", "somebody waits for its output"),
    ("run the task again", "try again"),
    ("the next task that changes this container ends it", "coracle stop ends it"),
    ("an interrupted task left it unfinished", "what was interrupted left it unfinished"),
    ("make it with the module network", "make it with: coracle network create"),
    ("give it a larger subnet with the module network", "use a network with a larger subnet"),
    ("create it with the module volume", "create it with: coracle volume create"),
    ("recreate it with the module volume", "remove it first"),
    ("replace_kind: true replaces it, with all that is in it", "remove it first"),
    ("unsafe_writes: true writes into what is mounted there", "write to it with coracle exec"),
)

_SEVERAL = {
    "env": "--env", "labels": "--label", "networks": "--network", "network_mode": "--network",
    "healthcheck": "--health-cmd", "restart_retries": "--restart",
}  # fmt: skip
"""Options that are written in several of the command's: container_texts.py."""


def as_typed(text: str) -> str:
    """An error or a warning of the engine as the command says it."""
    for theirs, ours in _PHRASES:
        text = text.replace(theirs, ours)
    flags = {**{option.field: f"--{option.flags.split()[-1][2:]}" for option in OPTIONS}, **_SEVERAL}
    longer = "|".join(name for name in flags if "_" in name)
    text = re.sub(rf"(?<![\w./-])({longer})(?![\w./-])", lambda found: flags[found[1]], text)
    return re.sub(rf"(^|: )({'|'.join(flags)})(?=: | and --)", lambda found: found[1] + flags[found[2]], text)
