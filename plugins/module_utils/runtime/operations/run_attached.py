# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Start a container with somebody there from its first byte: attached after it was prepared, before its
program is let go.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..container.attach_socket import AttachSocket
from ..container.attached import check_terminal, show_size
from ..container.detach_keys import DEFAULT_DETACH_KEYS, parse_detach_keys
from ..container.oci_runtime import shell_code
from ..container.status import observe
from ..errors import Conflict, RuntimeFailure
from ..linux.processes import identity
from ..linux.terminal import OUR_STDIO, Stdio
from .attach_container import attach_container, directory_of, manner_of, stay
from .locked_container import acting, locked_container
from .prepare_container import prepare
from .settle_run import abandon_run, run_is_prepared, settle_run
from .start_container import forget_restarts, release
from .start_required import start_required

if t.TYPE_CHECKING:
    from ..container.attached import Manner
    from ..container.records import ContainerRecord
    from ..engine import Engine


def start_attached(
    engine: Engine,
    name: str,
    *,
    stdio: Stdio = OUR_STDIO,
    stdin: bool = False,
    detach_keys: str = DEFAULT_DETACH_KEYS,
    sig_proxy: bool = True,
) -> int | None:
    """Start it and stay; what `attach_container` returns. One that runs already is attached to.

    A start that fails because of the program has the exit code of a shell as `rc` among its facts: 127 where
    it is missing, 126 where it cannot be run.
    """
    keys = parse_detach_keys(detach_keys)
    with acting(engine, "start", name) as found:
        manner = manner_of(engine, found, stdio, stdin, keys, sig_proxy)
        check_terminal(manner)
        start_required(engine, found)
        started = _start(engine, found, manner)
    if started is None:
        return attach_container(
            engine, found.id, stdio=stdio, stdin=stdin, detach_keys=detach_keys, sig_proxy=sig_proxy
        )
    record, socket = started
    with socket:
        return stay(engine, record, socket, manner)


def _start(
    engine: Engine, found: ContainerRecord, manner: Manner
) -> tuple[ContainerRecord, AttachSocket] | None:
    """The started container and the socket; None for one that runs already."""
    with locked_container(engine, found.id) as record, _codes_of_failures():
        settle_run(engine, record)
        if record.state.run is not None and not run_is_prepared(engine, record):
            if observe(engine, record).status == "paused":
                raise Conflict("it is paused", "unpause it instead")
            return None
        if record.state.run is None:
            forget_restarts(record)
            record.state.awaited_by = identity(os.getpid()) if record.config.auto_remove else None
            prepare(engine, record)
        socket = _attached(engine, record)
        try:
            if manner.tty:
                show_size(directory_of(engine, record), manner.stdio)
            release(engine, record)
        except BaseException:
            socket.close()
            raise
        return record, socket


def _attached(engine: Engine, record: ContainerRecord) -> AttachSocket:
    try:
        return AttachSocket(directory_of(engine, record))
    except BaseException as error:
        abandon_run(engine, record, error)
        raise


@contextlib.contextmanager
def _codes_of_failures() -> t.Iterator[None]:
    try:
        yield
    except RuntimeFailure as error:
        code = shell_code(error.message)
        if code is not None:
            error.facts["rc"] = code
        raise
