# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The conmons of exec sessions end with their programs; at the end of a container somebody makes sure."""

from __future__ import annotations

import os
import signal
import typing as t

from ..linux.processes import signal_process, wait_until_gone

if t.TYPE_CHECKING:
    from ..paths import Paths

_PATIENCE = 5.0  # seconds; the processes of the container are dead, so conmon needs some milliseconds


def end_sessions(paths: Paths, container_id: str) -> None:
    """Return when no conmon of a session writes to the run directories any more."""
    above = paths.container_run(container_id)
    for place in (os.path.join(above, nonce, "exec") for nonce in _names(above)):
        for session in _names(place):
            _end(os.path.join(place, session))


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _end(directory: str) -> None:
    from ..container.conmon_exec import conmon_of

    conmon = conmon_of(directory)
    if conmon is not None and not wait_until_gone(conmon, _PATIENCE):
        signal_process(conmon, signal.SIGKILL)
