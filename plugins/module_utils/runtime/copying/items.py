# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is to be copied, as values: one `Item` for each file, directory and link, parents before children."""

from __future__ import annotations

import typing as t

from ..errors import IntegrityError, NotFound

FILE, DIRECTORY, LINK, HARD_LINK, PIPE = "file", "directory", "link", "hard link", "pipe"
KINDS = (FILE, DIRECTORY, LINK, HARD_LINK, PIPE)

UNFINISHED = ".coracle-copy."
"""How directories begin in which a copy puts what has no name yet. They are nobody's files."""

Pieces = t.Iterator[tuple[int, bytes]]
"""Content of a file: (offset, bytes), in order; what lies between is a hole."""


class Item(t.NamedTuple):
    """`path` is relative to what is copied and empty for the thing itself. Owner, time and attributes count
    where all is to be kept.

    `digest` is the SHA-256 of a file's content, where it is known. `target` is what a link says; of a hard
    link, the `path` of the file that it is another name of. Names that are no text are surrogate-escaped.
    `mtime` in nanoseconds.
    """

    path: str
    kind: str
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    digest: str = ""
    target: str = ""
    xattrs: t.Mapping[str, bytes] = {}

    def to_json(self) -> list[t.Any]:
        attributes = {name: value.hex() for name, value in self.xattrs.items()}
        return [*self[:-1], attributes] if attributes else list(self[:-1])

    @classmethod
    def from_json(cls, values: t.Any) -> Item:
        """IntegrityError for what is none: it may come from another machine."""
        try:
            path, kind, mode, uid, gid, mtime, size, digest, target = values[:9]
            attributes = {name: bytes.fromhex(value) for name, value in dict(*values[9:]).items()}
            texts, numbers = (path, kind, digest, target), (mode, uid, gid, mtime, size)
            good = all(isinstance(text, str) for text in texts)
            good = good and all(isinstance(number, int) for number in numbers)
        except (TypeError, ValueError, AttributeError) as error:
            raise IntegrityError(f"a list of files is malformed: {error}") from error
        if not good or kind not in KINDS or size < 0 or not is_clean(path):
            raise IntegrityError(f"a list of files has a wrong entry: {path!r}")
        if kind == HARD_LINK and not (target and is_clean(target)):
            raise IntegrityError(f"a list of files has a wrong link: {path!r}")
        return cls(path, kind, mode & 0o7777, uid, gid, mtime, size, digest, target, attributes)


def is_clean(path: str) -> bool:
    """Relative, without empty steps, `.` and `..`: it leads to nothing but what is below."""
    return path == "" or ("\0" not in path and not {"", ".", ".."}.intersection(path.split("/")))


class Source(t.Protocol):
    """Something to copy: a tree, an archive, a text."""

    def items(self) -> t.Iterator[Item]:
        """May be asked more than once, and every time says the same if nothing has changed."""

    def content(self, item: Item) -> Pieces:
        """Of an item of kind FILE, one that `items` has named."""


def first_of(source: Source) -> Item:
    """The thing itself. NotFound where there is nothing, any more."""
    for item in source.items():
        return item
    raise NotFound("there is nothing to copy")


def hash_zeros(found: t.Any, amount: int) -> None:
    """Tell a hash about a hole."""
    zeros = bytes(min(max(amount, 0), 1 << 20))
    while amount > 0:
        found.update(zeros[: min(amount, len(zeros))])
        amount -= len(zeros)
