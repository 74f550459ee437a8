# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Boot and shutdown: start again what shall run, in the order of creation, but for those that share something
with another container, which come after it; stop everything in the reverse order of creation.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.records import REMOVING, ContainerRecord, list_containers
from ..container.restart_policy import starts_at_boot
from ..container.sharing import in_order_of_start
from ..errors import CleanupFailed, collecting
from .handle_exit import shutdown_mark
from .install_boot_unit import forget_restored, is_restored, mark_restored
from .locked_container import locked_container
from .remove_container import remove_container
from .replace_container import repair_replacements
from .settle_run import settle_run
from .start_container import start_container
from .stop_container import end_run

if t.TYPE_CHECKING:
    from ..engine import Engine


def restore_containers(engine: Engine) -> list[str]:
    """Start what its policy wants up after a boot; the names of those that run. All are tried.

    Once per boot; the second time there is nothing to do. Raises CleanupFailed with what could not be
    started. Containers that were to remove themselves at their end are removed: the reboot was their end.
    """
    if not engine.exists or is_restored(engine):
        return []
    with contextlib.suppress(FileNotFoundError):
        os.unlink(shutdown_mark(engine))
    errors: list[BaseException] = []
    with collecting(errors):
        repair_replacements(engine)
    up = []
    for record in in_order_of_start(list_containers(engine.database, hidden=True, damaged=errors)):
        with collecting(errors):
            if _restore(engine, record):
                up.append(record.name)
    mark_restored(engine)
    if errors:
        raise CleanupFailed("restore containers", errors)
    return up


def _restore(engine: Engine, record: ContainerRecord) -> bool:
    with locked_container(engine, record.id) as fresh:
        settle_run(engine, fresh)
    if fresh.state.phase == REMOVING or (
        fresh.config.auto_remove and fresh.state.exit and not fresh.state.run
    ):
        remove_container(engine, fresh.id)
        return False
    if not starts_at_boot(fresh.config, fresh.state) and fresh.state.run is None:
        return False
    start_container(engine, fresh.id)
    return True


def shut_down_containers(engine: Engine) -> None:
    """Stop everything, last created first, but those that others need last; each with its own time, and
    without the policies in the way.

    It is not the user who stops them: what ran now runs again after the boot.
    """
    if not engine.exists:
        return
    forget_restored(engine)
    os.close(os.open(shutdown_mark(engine), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    errors: list[BaseException] = []
    for record in reversed(in_order_of_start(list_containers(engine.database, hidden=True, damaged=errors))):
        if record.state.run is not None or record.state.restart is not None:
            with collecting(errors):
                end_run(engine, record.id, by_user=False)
    if errors:
        raise CleanupFailed("stop containers", errors)
