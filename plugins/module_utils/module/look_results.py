# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The result of `container_info`: documents in the shape of `docker inspect`, and in them what else was asked
for. What costs something is imported and found out only then.
"""

from __future__ import annotations

import typing as t

from ..runtime.container.records import ContainerRecord, find_container, list_containers
from ..runtime.engine import Engine
from ..runtime.errors import CoracleError
from ..runtime.operations.inspect_container import Document
from ..runtime.operations.look_at_containers import Seen, inspect_all, look_at
from ..runtime.operations.select_containers import select
from .look_options import check_look, read_filters

_LOG_LIMIT = 1 << 20  # bytes of each container's log


def look_result(engine: Engine, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    check_look(params)
    names: list[str] | None = params["name"]
    damaged: list[BaseException] = []
    missing: list[str] = []
    if names is None:
        records = list_containers(engine.records, damaged=damaged)
    else:
        found = {name: find_container(engine.records, name) for name in names}
        records = [record for record in found.values() if record]
        missing = [name for name, record in found.items() if record is None]
    seen = select(engine, look_at(engine, records), read_filters(params["filters"]))
    documents = [_only(params["keys"], document) for document in inspect_all(engine, seen)]
    warnings = [str(error) for error in damaged]
    for title, each in _extras(engine, params, seen, warnings):
        for document, value in zip(documents, each):
            document[title] = value
    return {
        "changed": False,
        "exists": not missing,
        "containers": documents,
        "container": documents[0] if names and len(names) == 1 and documents else None,
        "missing": missing,
        "warnings": warnings,
    }


def _only(keys: t.Sequence[str] | None, document: Document) -> Document:
    """Who looks at hundreds of containers pays most for reading the answer."""
    return (
        document if keys is None else {key: document[key] for key in ("Id", "Name", *keys) if key in document}
    )


def _extras(
    engine: Engine, params: t.Mapping[str, t.Any], seen: t.Sequence[Seen], warnings: list[str]
) -> t.Iterator[tuple[str, t.Sequence[t.Any]]]:
    """A key of the documents, and its value for each container in turn."""
    if params["stats"]:
        yield "Stats", _stats(engine, seen, params["stats_interval"])
    if params["processes"] or params["processes_columns"]:
        yield "Processes", _processes(engine, seen, params["processes_columns"] or ())
    if params["changes"]:
        yield "Changes", [_changes(engine, record, warnings) for record, _status in seen]
    if params["size"]:
        sizes = [_sizes(engine, record) for record, _status in seen]
        yield "SizeRw", [size for size, _whole in sizes]
        yield "SizeRootFs", [whole for _size, whole in sizes]
    if params["logs"] is not None:
        yield "Logs", [_logs(engine, record, params["logs"]) for record, _status in seen]


def _stats(engine: Engine, seen: t.Sequence[Seen], interval: float) -> list[Document | None]:
    from ..runtime.operations.measure_containers import measure

    return measure(engine, seen, interval)


def _processes(engine: Engine, seen: t.Sequence[Seen], words: t.Sequence[str]) -> list[Document | None]:
    from ..runtime.container.processes import list_processes, parse_columns
    from ..runtime.container.status import group_of
    from ..runtime.linux.cgroups import layout, processes

    columns = parse_columns(words, "processes_columns")
    at = layout() if any(status.alive for _record, status in seen) else None
    return [
        list_processes(processes(group_of(engine.paths, record), at), columns) if status.alive else None
        for record, status in seen
    ]


def _changes(engine: Engine, record: ContainerRecord, warnings: list[str]) -> list[dict[str, str]] | None:
    from ..runtime.operations.list_changes import list_changes

    try:
        return [{"Kind": change.kind, "Path": _text(change.path)} for change in list_changes(engine, record)]
    except CoracleError as error:
        warnings.append(str(error))
        return None


def _sizes(engine: Engine, record: ContainerRecord) -> tuple[int, int]:
    """What the container has written, and that with its image."""
    import os

    from ..runtime.content.images import find_image
    from ..runtime.linux.tree_size import tree_size

    written = tree_size(os.path.join(engine.paths.container(record.id), "upper"))
    image = find_image(engine.records, record.image_id)
    return written, written + (image.size if image else 0)


def _logs(engine: Engine, record: ContainerRecord, tail: int) -> list[str]:
    from ..runtime.container.log_lines import LogQuery, read_lines
    from .log_results import text_of

    lines, _truncated = read_lines(engine.paths, record.id, LogQuery(tail=tail), _LOG_LIMIT)
    return [text_of(line, tty=bool(record.config.tty)) for line in lines]


def _text(path: str) -> str:
    """File names are bytes; results are text."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
