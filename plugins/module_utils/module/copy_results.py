# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The results of `container_copy`, with the keys that Ansible's `copy` has, and what is asked of and sent to
the controller.
"""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from ..runtime.copying.compare import Change, hash_pieces
from ..runtime.copying.items import DIRECTORY, FILE, LINK, Item, Source, first_of
from ..runtime.copying.listed import compare_with_list
from ..runtime.copying.parcel import IS_DIRECTORY, WANTED, ParcelWriter
from ..runtime.copying.place import absolute, join, split
from ..runtime.copying.text_diff import LARGEST_TEXT
from ..runtime.engine import Engine
from ..runtime.errors import Conflict, InvalidInput, doing
from ..runtime.reconcile.copy import (
    CopyRequest,
    PlannedCopy,
    difference,
    planned_copy,
    reach,
    sentence,
    source_in,
)
from ..runtime.reconcile.steps import Plan
from .copy_options import Sent
from .results import result_of

_LARGEST_CHECKED = 1 << 30  # bytes: reading a larger file once more takes too long for a checksum
_MOST_SHOWN = 100


def copy_files(engine: Engine, request: CopyRequest, sent: Sent | None, check_mode: bool) -> dict[str, t.Any]:
    """Copy, or in check mode say what would be copied."""
    if request.listed is not None and sent is not None:
        return _copy_to_controller(engine, request, sent, check_mode)
    has_content: t.Callable[[Item], bool] = sent.parcel.has if sent else lambda _item: True
    with planned_copy(engine, request, writing=not check_mode, has_content=has_content) as planned:
        if sent is not None and not sent.complete:
            wanted = _wanted(planned.changes, sent, check_mode)
            if wanted:
                return {"changed": False, WANTED: wanted}
        if not check_mode:
            planned.plan.execute(engine)
        return _result(request, planned, sent, check_mode)


def _wanted(changes: t.Iterable[Change], sent: Sent, check_mode: bool) -> list[str]:
    """In check mode only what a diff can show."""
    if check_mode and not sent.diff:
        return []
    return [
        change.item.path
        for change in changes
        if change.is_whole
        and change.item.kind == FILE
        and not sent.parcel.has(change.item)
        and (not check_mode or change.item.size <= LARGEST_TEXT)
    ]


def _result(
    request: CopyRequest, planned: PlannedCopy, sent: Sent | None, check_mode: bool
) -> dict[str, t.Any]:
    facts: dict[str, t.Any] = {"dest": planned.top, "files": len(planned.changes)}
    if request.src:
        facts["src"] = request.src
    facts.update(_end(request))
    facts.update(_as_it_is(planned, check_mode))
    if planned.first.kind == FILE:
        checksum = _checksum(planned.source, planned.first, sent)
        if checksum:
            facts["checksum"] = checksum
    if planned.backups:
        facts["backup_files"] = planned.backups
        if planned.first.kind == FILE:
            facts["backup_file"] = planned.backups[0]
    warnings = _warnings(planned.left_out)
    return {**result_of(planned.plan, **facts, warnings=warnings), "diff": planned.diff}


def _end(request: CopyRequest) -> dict[str, str]:
    return {"volume": request.volume} if request.volume else {"container": request.container}


def _warnings(left_out: t.Sequence[str]) -> list[str]:
    if not left_out:
        return []
    more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
    return [f"left out, they are neither files nor directories nor links: {', '.join(left_out[:5])}{more}"]


def _as_it_is(planned: PlannedCopy, check_mode: bool) -> dict[str, t.Any]:
    """The thing at `dest` or, in check mode, as it would be."""
    place = planned.at.place
    planned_top = [change for change in planned.changes if change.path == planned.top]
    if check_mode and planned_top:
        change = planned_top[0]
        uid, gid, mode, size = change.uid, change.gid, change.mode, change.item.size
        kind = change.item.kind
    else:
        found = place.look(planned.top)
        if found is None:
            return {}
        uid, gid, mode, size = found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), found.st_size
        formats = {stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: "link"}
        kind = formats.get(stat.S_IFMT(found.st_mode), FILE)
    owner, group = _names(planned, uid, gid)
    return {
        "state": kind,
        "mode": f"{mode:04o}",
        "uid": uid,
        "gid": gid,
        "owner": owner,
        "group": group,
        **({"size": size} if kind == FILE else {}),
    }


def _names(planned: PlannedCopy, uid: int, gid: int) -> tuple[str, str]:
    at = planned.at
    if at.record is not None:
        from ..runtime.container.users import names_of

        return names_of(at.place.root, uid, gid)
    if at.place.name.startswith("volume "):
        return str(uid), str(gid)
    return _name_of_user(uid), _name_of_group(gid)


def _name_of_user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _name_of_group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _checksum(source: Source, item: Item, sent: Sent | None) -> str:
    """SHA-1, as `copy` and `stat` have it; empty for a very large file."""
    if sent is not None and not sent.parcel.has(item):
        return str(sent.parcel.facts.get("checksum", ""))
    if item.size > _LARGEST_CHECKED:
        return ""
    found = hashlib.sha1(usedforsecurity=False)
    hash_pieces(found, source.content(item), item.size)
    return found.hexdigest()


# To the controller


def _copy_to_controller(
    engine: Engine, request: CopyRequest, sent: Sent, check_mode: bool
) -> dict[str, t.Any]:
    with doing(f"copy from {request.thing}"), reach(engine, request, writing=False) as reached:
        source = source_in(reached.place, request)
        first = first_of(source)
        top = _top(request, sent, first)
        changes = list(compare_with_list(source, request.listed or {}, top, request.wishes))
        if changes and (sent.diff or not check_mode):
            _reply(sent.reply, source, changes, LARGEST_TEXT if check_mode else None)
        checksum = _checksum(source, first, None) if first.kind == FILE else ""
    plan = Plan((), [difference(change) for change in changes[:_MOST_SHOWN]])
    facts: dict[str, t.Any] = {
        "src": request.src,
        "dest": top,
        "files": len(changes),
        "state": first.kind,
        **_end(request),
    }
    if first.kind == FILE:
        facts["size"] = first.size
    if checksum:
        facts["checksum"] = checksum
    result = result_of(plan, **facts, warnings=_warnings(source.left_out))
    if changes:
        result.update(changed=True, actions=[sentence(changes, f"from {request.thing} to the controller")])
    return {**result, IS_DIRECTORY: first.kind == DIRECTORY, "diff": []}


def _top(request: CopyRequest, sent: Sent, first: Item) -> str:
    """`exact`: the controller has no directory at `dest`, so that what it becomes depends on us."""
    if first.kind == LINK and sent.parcel.facts.get("exact"):
        raise Conflict(
            f"what is copied is a link, and {request.dest} would be one to wherever the container likes",
            "copy it into a directory, or follow it",
        )
    if first.kind != DIRECTORY or not sent.parcel.facts.get("exact"):
        return str(sent.parcel.facts["top"])
    if request.listed:
        raise Conflict(f"{request.dest} of the controller is not a directory", "name a directory as dest")
    return join(request.dest, split(absolute(request.src))[1])


def _reply(path: str, source: Source, changes: t.Iterable[Change], largest: int | None) -> None:
    """For whoever connects to this host, who made the directory: it may be another user than we are. Of files
    that are larger than `largest`, not the content.
    """
    if not path:
        raise InvalidInput("the controller does not say where to put the files")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        writer = ParcelWriter(fd)
        items = []
        for change in changes:
            item = change.item._replace(mode=change.mode)
            if item.kind == FILE and change.is_whole and (largest is None or item.size <= largest):
                item = writer.add(item, source.content(item))
            items.append(item)
        writer.finish(items, {})
        owner = os.stat(os.path.dirname(path))
        os.fchown(fd, owner.st_uid, owner.st_gid)
    finally:
        os.close(fd)
