# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Named volumes: a row in the state file and a directory.

    <root>/volumes/<name>/          0700
    <root>/volumes/<name>/_data     0755, what containers see; its owner and mode are theirs to change

A volume with driver options is mounted there while containers run with it (operations/attach_volumes.py).

All functions work inside a transaction of the caller, directory first. What a crash leaves: an empty
directory without a row, which the next `ensure_volume` of that name takes over; or, on removal, a row without
its directory and the data in the trash, which the next removal finishes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import typing as t

from ..errors import Conflict, InvalidInput, NotFound, StateError
from ..linux.files import fsync_directory, make_private_directory
from ..linux.mounts import unmount_below
from ..linux.processes import now
from ..linux.trees import move_to_trash
from ..paths import Paths
from ..state.database import Reader, Transaction

_COLUMNS = "v.name, v.record, v.created, v.filled"
VOLUME_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}"


class VolumeRecord(t.NamedTuple):
    """`anonymous`: made for one container because it named a target only, or its image did. `driver_options`:
    volume/driver_options.py. `filled`: what the image has at the target is in it, or is not wanted any more.
    """

    name: str
    labels: dict[str, str]
    anonymous: bool
    created: str
    driver_options: dict[str, str]
    filled: bool

    def to_json(self) -> str:
        options = {"driver_options": self.driver_options} if self.driver_options else {}
        return json.dumps({"labels": self.labels, "anonymous": self.anonymous, **options})


def check_volume_name(name: str) -> str:
    """The name, which becomes a directory, if it is one; InvalidInput otherwise."""
    if not re.fullmatch(VOLUME_NAME, name):
        raise InvalidInput(
            f"{name!r} is not a name for a volume",
            "letters, digits, `_`, `.` and `-`, at most 128, no `.` first",
        )
    return name


def volume_data(paths: Paths, name: str) -> str:
    """The directory that containers see."""
    return os.path.join(paths.volumes, check_volume_name(name), "_data")


def ensure_volume(
    transaction: Transaction,
    paths: Paths,
    name: str,
    *,
    labels: t.Mapping[str, str] | None = None,
    anonymous: bool = False,
    driver_options: t.Mapping[str, str] | None = None,
) -> str:
    """Make the volume if it is not there; its data directory either way.

    Conflict if it is there with other options than `driver_options` (None: any will do).
    """
    data = volume_data(paths, name)
    found = find_volume(transaction, name)
    if found is not None and driver_options is not None and found.driver_options != driver_options:
        raise Conflict(
            f"volume {name} exists with other driver options",
            "give the same, choose another name, or recreate it with the module volume",
        )
    _make_data_directory(data)
    if found is None:
        record = VolumeRecord(name, dict(labels or {}), anonymous, now(), dict(driver_options or {}), False)
        transaction.execute(
            "INSERT INTO volumes (name, record, created, filled) VALUES (?, ?, ?, 0)",
            (record.name, record.to_json(), record.created),
        )
    return data


def save_volume(transaction: Transaction, record: VolumeRecord) -> None:
    """Write down what is known about a volume that exists."""
    transaction.execute(
        "UPDATE volumes SET record = ?, filled = ? WHERE name = ?",
        (record.to_json(), int(record.filled), record.name),
    )


def _make_data_directory(data: str) -> None:
    volume = os.path.dirname(data)
    make_private_directory(volume)
    try:
        os.mkdir(data, 0o755)
    except FileExistsError:
        return
    os.chmod(data, 0o755)
    fsync_directory(volume)


def find_volume(reader: Reader, name: str) -> VolumeRecord | None:
    row = reader.one(f"SELECT {_COLUMNS} FROM volumes v WHERE name = ?", (name,))
    return _record(row) if row else None


def list_volumes(reader: Reader) -> list[VolumeRecord]:
    """All of them, by name."""
    return [_record(row) for row in reader.all(f"SELECT {_COLUMNS} FROM volumes v ORDER BY name")]


def _record(row: t.Any) -> VolumeRecord:
    try:
        document = json.loads(row["record"])
        return VolumeRecord(
            row["name"],
            document.get("labels", {}),
            document.get("anonymous", False),
            row["created"],
            document.get("driver_options", {}),
            bool(row["filled"]),
        )
    except (ValueError, AttributeError) as error:
        raise StateError(f"the record of volume {row['name']} in state.db is damaged: {error}") from error


def use_volume(transaction: Transaction, name: str, container_id: str) -> None:
    """Remember that a container needs the volume; forgotten when the container's row goes."""
    transaction.execute(
        "INSERT OR IGNORE INTO volume_uses (volume, container_id) VALUES (?, ?)", (name, container_id)
    )


def containers_using(reader: Reader, name: str) -> list[str]:
    """Names of the containers that need the volume."""
    query = "SELECT c.name FROM volume_uses u JOIN containers c ON c.id = u.container_id WHERE u.volume = ?"
    return sorted(row["name"] for row in reader.all(query, (name,)))


def user_ids(reader: Reader, name: str) -> list[str]:
    """Ids of the containers that need the volume."""
    query = "SELECT container_id FROM volume_uses WHERE volume = ? ORDER BY container_id"
    return [row["container_id"] for row in reader.all(query, (name,))]


def volumes_of(reader: Reader, container_id: str) -> list[VolumeRecord]:
    query = (
        f"SELECT {_COLUMNS} FROM volumes v JOIN volume_uses u ON u.volume = v.name"
        " WHERE u.container_id = ? ORDER BY v.name"
    )
    return [_record(row) for row in reader.all(query, (container_id,))]


def sweep_volumes(transaction: Transaction, paths: Paths) -> None:
    """Remove empty directories that no volume has: a crash before the commit leaves them.
    Within a transaction nobody else is about to make one.
    """
    known = {row["name"] for row in transaction.all("SELECT name FROM volumes")}
    try:
        names = set(os.listdir(paths.volumes)) - known
    except FileNotFoundError:
        return
    for name in names:
        with contextlib.suppress(OSError):  # with content it is nothing of ours to judge
            for directory in (os.path.join(paths.volumes, name, "_data"), os.path.join(paths.volumes, name)):
                with contextlib.suppress(FileNotFoundError):
                    os.rmdir(directory)


def remove_volume(transaction: Transaction, paths: Paths, name: str) -> str | None:
    """Take the volume out of its place: where its data are now, for `remove_tree` after the commit; None when
    there were none. Raises NotFound, or Conflict while containers need it. What was mounted on it is only
    unmounted.
    """
    check_volume_name(name)
    if transaction.one("SELECT name FROM volumes WHERE name = ?", (name,)) is None:
        raise NotFound(f"there is no volume {name}")
    users = containers_using(transaction, name)
    if users:
        raise Conflict(
            f"volume {name} is used by {', '.join(users)}", "remove the containers first", containers=users
        )
    transaction.execute("DELETE FROM volumes WHERE name = ?", (name,))
    unmount_below(os.path.join(paths.volumes, name))
    try:
        return move_to_trash(paths, os.path.join(paths.volumes, name))
    except FileNotFoundError:
        return None
