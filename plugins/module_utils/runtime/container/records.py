# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the state file knows about a container: what was asked for, and what we did about it.

A record never says whether a container runs. It says which run was begun last (`state.run`), and
`status.observe` asks the kernel what became of it. Whoever changes a record holds the container's lock;
readers hold nothing.

    phase      ready ─► removing                   never back: the next writer finishes a removal
    run        None ─► Run(nonce) ─► None + exit   written before anything is mounted or started
    restart    set while an exit handler waits out the back-off of a restart policy
    replaces   set from the creation of a replacement until it has taken the place of the other
    draining   set when another one has taken its place while it ran, until it has been stopped
    kept_since set when another one has taken its place and it is to stay, stopped, for a way back
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import typing as t

from ..errors import StateError, collecting
from ..linux.processes import ProcessIdentity
from ..oci.image_config import ImageConfig
from .config import ContainerConfig
from .storage import VolumeMount

if t.TYPE_CHECKING:
    from ..state.database import Database, Reader, Transaction

READY, REMOVING = "ready", "removing"


class Run(t.NamedTuple):
    """One start of a container. `nonce` names its run directory; an exit handler of another run is told by
    it.

    Times are RFC 3339 with nanoseconds, UTC; `started_at` is empty until the program was let go. Process
    identities are None until known; valid only while `boot_id` is the kernel's.
    """

    nonce: str
    boot_id: str
    created_at: str
    started_at: str = ""
    conmon: ProcessIdentity | None = None
    init: ProcessIdentity | None = None


class Exit(t.NamedTuple):
    """How the last run ended: `code` is 128 + n for signal n, 255 with an `error` where nobody saw it."""

    code: int
    started_at: str
    finished_at: str
    oom_killed: bool = False
    error: str = ""


class Restart(t.NamedTuple):
    """A restart that the policy has decided: `process` waits until `due_at` (RFC 3339) to make it happen."""

    process: ProcessIdentity
    boot_id: str
    due_at: str


class Replaces(t.NamedTuple):
    """The container that this one is going to replace, and whether it ran. `beside`: it runs until this one
    has taken its place; else it is stopped before, and started again if that fails.
    """

    container_id: str
    was_running: bool
    beside: bool = False

    @property
    def stops_it(self) -> bool:
        return self.was_running and not self.beside


@dataclasses.dataclass
class ContainerState:
    phase: str = READY
    stopped_by_user: bool = False
    restart_count: int = 0
    backoff: float = 0.0  # seconds the policy waited before the last restart; doubles, 0 after a run of 10 s
    run: Run | None = None
    exit: Exit | None = None
    restart: Restart | None = None
    replaces: Replaces | None = None
    took_over: bool = False  # what the container to be replaced has lent (operations/take_over_network.py)
    draining: bool = False  # it is on its way out, and the connections that it has may end first
    kept_since: str = ""  # RFC 3339
    rewiring: list[str] | None = None  # interfaces that have to go; set while the others change, too
    resizing: dict[str, t.Any] | None = None  # the limits that were; set while they are being changed
    takes_volumes: bool = False  # while it is being removed: anonymous volumes go with it
    awaited_by: ProcessIdentity | None = None  # who reads code and output before an automatic removal
    error: str = ""  # why the last start failed

    def to_json(self) -> dict[str, t.Any]:
        return {
            name: _plain(value) for name, value in vars(self).items() if value not in (None, False, 0, "")
        }

    @classmethod
    def from_json(cls, document: dict[str, t.Any]) -> ContainerState:
        """Unknown keys are of a newer engine and say nothing here."""
        values = {name: document[name] for name in cls.__dataclass_fields__.keys() & document.keys()}
        for name, shape in _SHAPES.items():
            if name in values:
                values[name] = _shaped(shape, values[name])
        return cls(**values)


_SHAPES: dict[str, t.Any] = {
    "run": Run,
    "exit": Exit,
    "restart": Restart,
    "replaces": Replaces,
    "awaited_by": ProcessIdentity,
    "conmon": ProcessIdentity,
    "init": ProcessIdentity,
    "process": ProcessIdentity,
}


def _plain(value: t.Any) -> t.Any:
    if not hasattr(value, "_asdict"):
        return value
    return {name: _plain(part) for name, part in value._asdict().items()}


def _shaped(shape: t.Any, document: dict[str, t.Any] | None) -> t.Any:
    if document is None:
        return None
    known = {name: document[name] for name in shape._fields if name in document}
    return shape(
        **{name: _shaped(_SHAPES[name], part) if name in _SHAPES else part for name, part in known.items()}
    )


@dataclasses.dataclass
class ContainerRecord:
    """`image` is the image's configuration as it was at creation: a moved tag does not change a container."""

    id: str
    name: str
    image_id: str
    image_name: str
    image: ImageConfig
    config: ContainerConfig
    created: str
    ancestor: str = ""
    """Id of the first of a chain of replacements, whose anonymous volumes all of them use; empty: itself."""
    inherited: list[VolumeMount] = dataclasses.field(default_factory=list)
    """What the containers in `volumes_from` had when this one was made."""
    mounted_images: dict[str, str] = dataclasses.field(default_factory=dict)
    """Ids of the images that `mounts` names, by name, as they were when this container was made."""
    state: ContainerState = dataclasses.field(default_factory=ContainerState)


_COLUMNS = "id, name, image_id, config, state, created"


def find_container(database: Database, name: str) -> ContainerRecord | None:
    """By exact name, else by full id (64 hexadecimal digits). Never by prefix."""
    return find_container_in(database.read(), name)


def find_container_in(view: Reader, name: str) -> ContainerRecord | None:
    """The same within a transaction that goes on."""
    query = f"SELECT {_COLUMNS} FROM containers WHERE name = ? OR id = ? ORDER BY name = ? DESC LIMIT 1"
    row = view.one(query, (name, name, name))
    return _record(row) if row else None


def find_remains(database: Database, name: str) -> ContainerRecord | None:
    """The same for whoever removes it: of a record that is damaged, what a removal needs."""
    try:
        return find_container(database, name)
    except StateError:
        query = "SELECT id, name, image_id, created FROM containers WHERE name = ? OR id = ?"
        row = database.read().one(query, (name, name))
        if row is None:
            raise
        container_id, name, image_id, created = row
        return ContainerRecord(container_id, name, image_id, "", ImageConfig(), ContainerConfig(), created)


def list_containers(
    database: Database, *, hidden: bool = False, damaged: list[BaseException] | None = None
) -> list[ContainerRecord]:
    """All of them, in the order in which they were created; `hidden` ones (replacements under way) only if
    asked.

    `damaged` takes the errors of records that cannot be read; without it the first of them is raised.
    """
    rows = database.read().all(f"SELECT {_COLUMNS} FROM containers ORDER BY created, rowid")
    found = []
    for row in rows:
        if hidden or not is_hidden(row["name"]):
            with contextlib.nullcontext() if damaged is None else collecting(damaged):
                found.append(_record(row))
    return found


def list_hidden(database: Database) -> list[ContainerRecord]:
    """Only the halves of replacements under way; cheap, there are hardly ever any."""
    rows = database.read().all(f"SELECT {_COLUMNS} FROM containers WHERE name >= '.' AND name < '/'")
    return [_record(row) for row in rows]


def list_previous(database: Database, record: ContainerRecord) -> list[ContainerRecord]:
    """Versions of the container whose place it has taken, or one after the other, and that are kept; the
    newest first.
    """
    query = f"SELECT {_COLUMNS} FROM containers WHERE instr(state, '\"kept_since\"') AND NOT name LIKE '.%'"
    versions = [found for found in map(_record, database.read().all(query)) if is_version(found, record)]
    return sorted(versions, key=lambda version: version.state.kept_since, reverse=True)


def is_version(one: ContainerRecord, other: ContainerRecord) -> bool:
    return one.id != other.id and (one.ancestor or one.id) == (other.ancestor or other.id)


def previous_name(name: str, container_id: str) -> str:
    """What a version of the container `name` is called when it is kept."""
    return f"{name}.previous-{container_id[:12]}"


def hidden_name(name: str) -> str:
    """`.web.5f3c…`: no user can give it, and it tells whose it is."""
    return f".{name}.{os.urandom(6).hex()}"


def hidden_for(hidden: str) -> str:
    """The name of the container that a hidden one belongs to."""
    return hidden[1:].rpartition(".")[0]


def is_hidden(name: str) -> bool:
    """Users' names cannot begin with a dot: a container that does is one half of a replacement under way."""
    return name.startswith(".")


def insert_container(transaction: Transaction, record: ContainerRecord) -> None:
    """The name must be free: look first, in the same transaction."""
    transaction.execute(
        f"INSERT INTO containers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (
            record.id,
            record.name,
            record.image_id,
            _config_text(record),
            json.dumps(record.state.to_json()),
            record.created,
        ),
    )


def save_state(transaction: Transaction, record: ContainerRecord) -> None:
    text = json.dumps(record.state.to_json())
    transaction.execute("UPDATE containers SET state = ? WHERE id = ?", (text, record.id))


def save_name(transaction: Transaction, container_id: str, name: str) -> None:
    transaction.execute("UPDATE containers SET name = ? WHERE id = ?", (name, container_id))


def save_config(transaction: Transaction, record: ContainerRecord) -> None:
    transaction.execute("UPDATE containers SET config = ? WHERE id = ?", (_config_text(record), record.id))


def delete_container(transaction: Transaction, container_id: str) -> None:
    transaction.execute("DELETE FROM containers WHERE id = ?", (container_id,))


def _config_text(record: ContainerRecord) -> str:
    return json.dumps(
        {
            "config": record.config.to_json(),
            "image": record.image.to_json(),
            "image_name": record.image_name,
            "ancestor": record.ancestor,
            "inherited": [mount.to_json() for mount in record.inherited],
            "mounted_images": record.mounted_images,
        }
    )


def _record(row: t.Sequence[t.Any]) -> ContainerRecord:
    container_id, name, image_id, config_text, state_text, created = row
    try:
        asked = json.loads(config_text)
        return ContainerRecord(
            id=container_id,
            name=name,
            image_id=image_id,
            image_name=asked["image_name"],
            image=ImageConfig.from_json(asked["image"]),
            config=ContainerConfig.from_json(asked["config"]),
            created=created,
            ancestor=asked.get("ancestor", ""),
            inherited=[VolumeMount.from_json(mount) for mount in asked.get("inherited", ())],
            mounted_images=asked.get("mounted_images", {}),
            state=ContainerState.from_json(json.loads(state_text)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"the record of container {name} in state.db is damaged: {error}",
            "remove the container (state: absent) and make it again",
        ) from error
