# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Replace a container by a new one of the same name, so that what works is not broken by what is new.

    create the new one   under a hidden name; its record says whom it replaces, and whether that one ran
    prepare it           mounts, program, options: what can go wrong goes wrong here
    stop the old one
    take over            one transaction: published ports, and fixed addresses and MACs
    start the new one    it has to stay up for a moment if the old one was running, and to become healthy if
                         that is asked for
    switch               one transaction: the new one gets the name, the old one is to go
    remove the old one   or keep it, stopped, without address or port, for a way back

Or, if the new one shall start first, beside the old one and with addresses of its own:

    create the new one, prepare it, start it
    wait                 until it is healthy or ready, whatever is asked for; no name or port leads to it
    switch               the same transaction, in which it takes over, too; then firewall and names, at once.
                         The old one is to go, and drains: connections that it has go on
    stop the old one     when it has ended what it had begun, or has had its time
    remove the old one

Any failure before the switch removes the new container and starts the old one again if it was stopped. A
kill at any instant leaves either a record that replaces another one: the next task undoes it, as the boot
does; or a hidden one that is to go: the same remove it. `replacement-<id of the old one>` is held all the
while; the locks of both containers are taken by the verbs.
"""

from __future__ import annotations

import contextlib
import typing as t

from ..container.records import (
    REMOVING,
    ContainerRecord,
    Replaces,
    find_container,
    find_container_in,
    hidden_for,
    hidden_name,
    is_hidden,
    list_hidden,
    previous_name,
    save_name,
    save_state,
)
from ..container.restart_policy import wants_restart
from ..container.status import living_processes, observe
from ..errors import CoracleError, NotFound, RuntimeFailure, collecting, doing
from ..linux.locks import lock
from ..linux.processes import now, wait_until_gone
from ..network.records import delete_endpoint, delete_ports, endpoints_of
from .create_container import create_container
from .history import note_container
from .locked_container import locked_container
from .prepare_container import prepare_container
from .remove_container import remove_container
from .start_container import release_container, start_container
from .stop_container import stop_container
from .take_over_network import give_back_network, take_over_network
from .wait_container import wait_container

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.ready import Ready
    from ..content.images import ImageRecord
    from ..engine import Engine
    from ..state.database import Transaction

PROBATION = 1.0
"""Seconds that a new container has to stay up before the old one is given up."""

LOG_LINES = 10

_NOT_BACK = "the old container could not be brought back: "

DRAIN_TIMEOUT = 10.0
"""Seconds that an old container gets to end the connections that it has, unless the task says otherwise."""


class Proof(t.NamedTuple):
    """What a new container that runs has to show before the old one is given up: its health check has to say
    that it is well in `healthy_within` seconds (0 and less: whenever); it has to be `ready`. Nothing given:
    it has to stay up for a moment.
    """

    healthy_within: float | None = None
    ready: Ready | None = None


def replace_container(
    engine: Engine,
    name: str,
    config: ContainerConfig,
    image: ImageRecord,
    image_name: str,
    *,
    run: bool,
    proof: Proof | None = None,
    start_first: bool = False,
    drain_timeout: float = DRAIN_TIMEOUT,
    keep: bool = False,
    signal: str | None = None,
    timeout: int | None = None,
) -> ContainerRecord:
    """The new container's record. `run`: start it, `start_first`: beside the old one if that one runs, whose
    connections then have `drain_timeout` seconds to end. `keep` the old one, stopped and under another name.
    `signal` and `timeout` are for stopping it.
    """
    with doing(f"replace container {name}"):
        old = find_container(engine.records, name) or _gone(name)
        with lock(engine.paths, f"replacement-{old.id}", fleeting=True):
            old = find_container(engine.records, old.id) or _gone(name)
            ran = _runs(engine, old)
            replaces = Replaces(old.id, ran, beside=start_first and run and ran)
            new = create_container(
                engine, hidden_name(old.name), config, image, image_name, replaces=replaces
            )
            try:
                if run:
                    prepare_container(engine, new.name)
                if replaces.stops_it:
                    stop_container(engine, old.name, signal=signal, timeout=timeout)
                if run and not replaces.beside:
                    _take_over(engine, old, new)
                if run:
                    release_container(engine, new.name)
                    _prove(engine, new, proof or Proof(), ran)
                _switch(engine, old, new, keep)
            except BaseException as error:
                _roll_back(engine, old, new, error)
                raise
            if replaces.beside:
                _retire(engine, old, drain_timeout, signal, timeout)
            return _finish(engine, old, new)


def repair_replacement(engine: Engine, replacement_id: str) -> None:
    """Undo what an interrupted task has begun, or finish what it has switched. Nothing to do if it goes on
    or is done.
    """
    found = find_container(engine.records, replacement_id)
    if found is None:
        return
    old_id = found.state.replaces.container_id if found.state.replaces else found.id
    replacement = lock(engine.paths, f"replacement-{old_id}", fleeting=True)
    with doing("repair an interrupted replacement"), replacement:
        found = find_container(engine.records, replacement_id)
        if found is None or not is_hidden(found.name):
            return
        if found.state.replaces is not None:
            _undo(engine, found)
        elif found.state.phase == REMOVING or found.state.kept_since:
            _put_away(engine, found)


def repair_replacements(engine: Engine) -> None:
    """All of them: at boot, before anything is started."""
    for record in list_hidden(engine.records):
        repair_replacement(engine, record.id)


def _prove(engine: Engine, new: ContainerRecord, proof: Proof, ran: bool) -> None:
    if proof.healthy_within is not None:
        _become_healthy(engine, new, proof.healthy_within)
    if proof.ready is not None:
        from .await_ready import await_ready

        await_ready(engine, new.id, proof.ready)
    elif ran and proof.healthy_within is None:
        _stay_up(engine, new)


def _stay_up(engine: Engine, new: ContainerRecord) -> None:
    """A program that does its work and ends with 0 is fine, unless it is meant to be up for ever."""
    run = (find_container(engine.records, new.id) or _gone(new.name)).state.run
    if run is None or run.init is None or wait_until_gone(run.init, PROBATION):
        code = wait_container(engine, new.name)
        if code != 0 or new.config.restart_policy in ("always", "unless-stopped"):
            raise RuntimeFailure(f"the new container ended at once, with status {code}", status=code)


def _become_healthy(engine: Engine, new: ContainerRecord, seconds: float) -> None:
    from .wait_for_containers import Want, wait_for_containers

    wait_for_containers(engine, [new.id], Want("healthy"), seconds if seconds > 0 else None)


def _roll_back(engine: Engine, old: ContainerRecord, new: ContainerRecord, error: BaseException) -> None:
    """The old container as it was; the error tells how that went, and what the new one has said. An error
    that came after the switch changes nothing: the next task removes the old one.
    """
    from ..container.logs import read_output

    found = find_container(engine.records, new.id)
    if found is not None and found.state.replaces is None:
        return
    said = ""
    runs_on = _runs(engine, old)
    fate: list[BaseException] = []
    with collecting(fate):
        said = read_output(engine.paths, new, 1 << 14)
    with collecting(fate):
        _undo(engine, new)
    if isinstance(error, CoracleError):
        replaces = new.state.replaces
        for name in (new.name, new.id):
            error.message = error.message.replace(f"container {name}", "the new container")
        ran = bool(replaces and (replaces.stops_it or runs_on))
        error.message += _fate(ran, runs_on, fate)
        if ran and not runs_on:
            error.facts["actions"] = [f"restart container {old.name}: its replacement failed"]
        if said.strip():
            lines = said.rstrip().splitlines()[-LOG_LINES:]
            error.message += "; the last lines of the new one: " + " | ".join(lines)


def _runs(engine: Engine, record: ContainerRecord) -> bool:
    return observe(engine, record).status in ("running", "paused", "restarting")


def _fate(ran: bool, runs_on: bool, errors: list[BaseException]) -> str:
    if errors:
        what = "the new container could not be removed: " if runs_on else _NOT_BACK
        return f"; and {what}" + "; ".join(str(error) for error in errors)
    if not ran:
        return "; the old container is as it was"
    return "; the old container runs on" if runs_on else "; the old container runs again"


def _undo(engine: Engine, new: ContainerRecord) -> None:
    replaces = new.state.replaces
    if replaces:
        _give_back(engine, replaces.container_id, new.id)
    with contextlib.suppress(NotFound):  # somebody has removed it meanwhile
        remove_container(engine, new.id, volumes=True)
    if replaces and replaces.stops_it and find_container(engine.records, replaces.container_id):
        start_container(engine, replaces.container_id)


def _take_over(engine: Engine, old: ContainerRecord, new: ContainerRecord) -> None:
    with locked_container(engine, new.id), engine.database.transaction() as transaction:
        _take_over_in(transaction, old.id, new.id)


def _take_over_in(transaction: Transaction, old_id: str, new_id: str) -> None:
    old, new = (find_container_in(transaction, each) or _gone(each[:12]) for each in (old_id, new_id))
    if not new.state.took_over:
        take_over_network(transaction, old, new)
        new.state.took_over = True
        save_state(transaction, new)


def _give_back(engine: Engine, old_id: str, new_id: str) -> None:
    """Also if the new container has removed itself."""
    with engine.database.transaction() as transaction:
        old, new = (find_container_in(transaction, each) for each in (old_id, new_id))
        if old is not None and (new is None or new.state.took_over):
            give_back_network(transaction, old, new)


def _switch(engine: Engine, old: ContainerRecord, new: ContainerRecord, keep: bool) -> None:
    """The new container gets the name. From here on there is no way back, and none is needed."""
    first, second = sorted((old.id, new.id))
    with (
        lock(engine.paths, f"container-{first}"),
        lock(engine.paths, f"container-{second}"),
        engine.database.transaction() as transaction,
    ):
        old = find_container_in(transaction, old.id) or _gone(old.name)
        new = find_container_in(transaction, new.id) or _gone(new.name)
        _take_over_in(transaction, old.id, new.id)
        if keep:
            old.state.kept_since, old.state.stopped_by_user = now(), True
        else:
            old.state.phase = REMOVING
        old.state.draining = bool(new.state.replaces and new.state.replaces.beside)
        new.state.replaces = None
        new.state.took_over = False
        save_name(transaction, old.id, hidden_name(old.name))
        save_name(transaction, new.id, old.name)
        save_state(transaction, old)
        save_state(transaction, new)


def _retire(
    engine: Engine,
    old: ContainerRecord,
    drain_timeout: float,
    signal: str | None = None,
    timeout: int | None = None,
) -> None:
    """Ports and names lead to the new one from here on; the old one ends what it has begun and is stopped."""
    from .drain_container import drain_container
    from .refresh_network import refresh_network

    refresh_network(engine)
    found = find_container(engine.records, old.id)
    if found is None:
        return
    drain_container(engine, found, drain_timeout)
    with contextlib.suppress(NotFound):  # somebody has removed it meanwhile
        stop_container(engine, old.id, signal=signal, timeout=timeout)


def _put_away(engine: Engine, old: ContainerRecord) -> None:
    """Remove it, or keep it; whoever was killed in between has left it running."""
    found = find_container(engine.records, old.id)
    if found is None:
        return
    if found.state.draining and living_processes(engine.paths, found).init:
        _retire(engine, found, 0.0)
    if not found.state.kept_since:
        with contextlib.suppress(NotFound):
            remove_container(engine, found.id)
        return
    with locked_container(engine, old.id) as kept, engine.database.transaction() as transaction:
        kept.state.draining = False
        save_state(transaction, kept)
        save_name(transaction, kept.id, previous_name(hidden_for(kept.name), kept.id))
        delete_ports(transaction, kept.id)
        for endpoint in endpoints_of(transaction, kept.id):
            delete_endpoint(transaction, kept.id, endpoint.network)


def _finish(engine: Engine, old: ContainerRecord, new: ContainerRecord) -> ContainerRecord:
    """Put the old container away. Nobody has restarted a new one that ended before the switch."""
    _put_away(engine, old)
    found = find_container(engine.records, new.id)
    if found is None and not new.config.auto_remove:
        _gone(old.name)
    new = found or new
    note_container(engine, "create", new, replaces=old.id)
    if new.state.run is not None:
        note_container(engine, "start", new)
    note_container(engine, "destroy", old, replacedBy=new.id)
    if new.state.exit and new.config.auto_remove:
        with contextlib.suppress(NotFound):
            remove_container(engine, new.id)
    elif new.state.exit and wants_restart(new.config, new.state, new.state.exit):
        return start_container(engine, new.name)
    return new


def _gone(name: str) -> t.NoReturn:
    raise NotFound(f"container {name} is gone", "another task has removed it: run the task again")
