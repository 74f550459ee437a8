# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle images`: a row for each name of an image, the newest first."""

from __future__ import annotations

import argparse
import typing as t

from .filters import Filters, add_filter, labels_match, parse_filters
from .table import Column, add_format, print_rows

if t.TYPE_CHECKING:
    from ..content.images import ImageName, ImageRecord
    from .context import Context

COLUMNS = (
    Column("Repository", "REPOSITORY"),
    Column("Tag", "TAG"),
    Column("Digest", "DIGEST"),
    Column("ID", "IMAGE ID"),
    Column("CreatedSince", "CREATED"),
    Column("CreatedAt", "CREATED AT"),
    Column("Size", "SIZE"),
    Column("Containers", "CONTAINERS"),
)
KEYS = ("before", "dangling", "label", "reference", "since", "until")
NONE = "<none>"


class Named(t.NamedTuple):
    """An image under one of its names; both parts are `<none>` for one without a name."""

    record: ImageRecord
    repository: str = NONE
    tag: str = NONE
    digest: str = NONE


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="Show all images: there are no others here")
    parser.add_argument("-q", "--quiet", action="store_true", help="Only show image IDs")
    parser.add_argument("--no-trunc", action="store_true", help="Don't truncate output")
    parser.add_argument("--digests", action="store_true", help="Show digests")
    add_filter(parser, KEYS, "dangling=true")
    add_format(parser, COLUMNS)
    parser.add_argument("name", nargs="?", metavar="REPOSITORY[:TAG]")
    parser.epilog = """
        coracle images nginx
        coracle images --filter dangling=true -q
        coracle images --format '{{.Repository}}:{{.Tag}} {{.Size}}'
    """


def run(context: Context, options: argparse.Namespace) -> int:
    filters = parse_filters(options.filter, KEYS)
    if options.name:
        filters.setdefault("reference", []).append(options.name)
    rows = [_row(context, named, options.no_trunc) for named in _chosen(context, filters)]
    shown = ["Repository", "Tag", *(["Digest"] if options.digests else []), "ID", "CreatedSince", "Size"]
    print_rows(
        context,
        COLUMNS,
        rows,
        shown=shown,
        form=options.format,
        quiet="ID" if options.quiet else None,
    )
    return 0


def names_of_image(record: ImageRecord, names: t.Sequence[ImageName]) -> list[Named]:
    """One for each tag; a repository that only a digest leads to has one without a tag."""
    from ..oci.reference import familiar_name

    found = []
    for name in names:
        is_digest = "@" in name.name
        if is_digest and any(
            other.repository_name == name.repository_name and "@" not in other.name for other in names
        ):
            continue
        repository, _sign, tag = familiar_name(name.name).rpartition("@" if is_digest else ":")
        digest = tag if is_digest else name.manifest_digest or NONE
        found.append(Named(record, repository, NONE if is_digest else tag, digest))
    return found or [Named(record)]


def _chosen(context: Context, filters: Filters) -> list[Named]:
    from ..content.images import list_images, names_of

    rows = context.engine.records.read()
    damaged: list[BaseException] = []
    records = list_images(rows, damaged=damaged)
    for error in damaged:
        context.warn(str(error))
    found = []
    for record in _of_age(context, records, filters):
        if not labels_match(record.image_config.labels, filters.get("label", ())):
            continue
        for named in names_of_image(record, names_of(rows, record.id)):
            if _is_wanted(named, filters):
                found.append(named)
    return found


def _of_age(context: Context, records: list[ImageRecord], filters: Filters) -> list[ImageRecord]:
    """`records` are the newest first; `before` and `since` name images."""
    from ..container.moments import comparable, parse_moment
    from .lookup import find_image

    for text in filters.get("before", ()):
        created = comparable(find_image(context, text).created)
        records = [record for record in records if comparable(record.created) < created]
    for text in filters.get("since", ()):
        created = comparable(find_image(context, text).created)
        records = [record for record in records if comparable(record.created) > created]
    for text in filters.get("until", ()):
        moment = parse_moment(text, "until")
        records = [record for record in records if "" < comparable(record.created) < moment]
    return records


def _is_wanted(named: Named, filters: Filters) -> bool:
    dangling = filters.get("dangling")
    if dangling and (dangling[-1].lower() in ("true", "1")) != (named.repository == NONE):
        return False
    patterns = filters.get("reference")
    return not patterns or any(_fits(named, pattern) for pattern in patterns)


def _fits(named: Named, pattern: str) -> bool:
    """As Docker: a pattern without a tag fits all tags; `*` does not reach over `/`."""
    import fnmatch

    for text in (named.repository, f"{named.repository}:{named.tag}", f"{named.repository}@{named.digest}"):
        same_depth = text.count("/") == pattern.count("/")
        if text == pattern or (same_depth and fnmatch.fnmatchcase(text, pattern)):
            return True
    return False


def _row(context: Context, named: Named, whole: bool) -> dict[str, t.Any]:
    from ..content.images import users_of
    from .units import ago, human_size, local_time

    record = named.record
    return {
        "Repository": named.repository,
        "Tag": named.tag,
        "Digest": named.digest,
        "ID": record.id if whole else record.id[7:19],
        "CreatedSince": ago(record.created),
        "CreatedAt": local_time(record.created),
        "Size": human_size(record.size),
        "Containers": str(len(users_of(context.engine.records.read(), record.id))),
    }
