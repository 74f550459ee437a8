# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Image names: `[registry/]repository[:tag][@digest]`.

The grammar is that of distribution-spec 1.1 ("Pulling manifests") and github.com/distribution/reference, down
to the two defaults of Docker: a name without a registry is on Docker Hub (`docker.io`), and there a name of
one word is in `library/`. The first word is a registry if it contains `.` or `:`, or is `localhost`.

A `Reference` that came from `parse_reference` contains no `..`, no `%`, no control character: it is safe in a
URL.
"""

from __future__ import annotations

import re
import typing as t

from ..errors import InvalidInput
from .digest import is_digest, parse_digest

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
MAX_NAME = 255

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::([0-9]{{1,5}}))?"
_REPOSITORY_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = f"{_REPOSITORY_PART}(?:/{_REPOSITORY_PART})*"
_TAG = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_NAME_HINT = "write [registry/]name[:tag] or [registry/]name@sha256:digest"


class Reference(t.NamedTuple):
    """Which image is meant. At least one of `tag` and `digest` is set; if both are, the digest decides."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def repository_name(self) -> str:
        """`docker.io/library/nginx`"""
        return f"{self.registry}/{self.repository}"

    @property
    def canonical(self) -> str:
        """`docker.io/library/nginx:1.2[@sha256:…]`: the form that is stored and compared."""
        return self.repository_name + self._suffix

    @property
    def familiar(self) -> str:
        """`nginx:1.2[@sha256:…]`: the form that people type."""
        name = self.repository_name
        if self.registry == DOCKER_HUB:
            name = (
                self.repository.removeprefix("library/")
                if self.repository.count("/") == 1
                else self.repository
            )
        return name + self._suffix

    @property
    def name_with_tag(self) -> str | None:
        return f"{self.repository_name}:{self.tag}" if self.tag else None

    @property
    def name_with_digest(self) -> str | None:
        return f"{self.repository_name}@{self.digest}" if self.digest else None

    @property
    def target(self) -> str:
        """What to ask a registry for: the digest if there is one, else the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.familiar


def is_image_id(text: str) -> bool:
    """An image id is `sha256:` and 64 hexadecimal digits, or the digits alone; never a prefix of them."""
    return is_digest(text) or is_digest("sha256:" + text)


def familiar_name(name: str) -> str:
    """`nginx:1.2` for `docker.io/library/nginx:1.2`; an image id stays what it is."""
    return name if is_image_id(name) else parse_reference(name).familiar


def parse_reference(text: str) -> Reference:
    """What `text` names. Raises `InvalidInput` with the part that is wrong. An image id is no reference."""
    if not text:
        raise InvalidInput("an image name is empty", _NAME_HINT)
    if len(text) > MAX_NAME + 128 + 80:
        raise _invalid(text, f"it has {len(text)} characters")
    if is_image_id(text):
        raise InvalidInput(f"{text!r} is an image id, not an image name", _NAME_HINT)
    rest, at, digest_text = text.partition("@")
    digest = parse_digest(digest_text, InvalidInput) if at else None
    rest, tag = _split_tag(rest)
    if tag is not None and not re.fullmatch(_TAG, tag):
        raise _invalid(text, f"the tag {tag!r} is not allowed")
    registry, repository = _split_registry(text, rest)
    if len(registry) + 1 + len(repository) > MAX_NAME:
        raise _invalid(text, f"the name is longer than {MAX_NAME} characters")
    return Reference(registry, repository, tag if tag or digest else DEFAULT_TAG, digest)


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon after the last slash begins the tag; one before it belongs to the port of the registry."""
    head, slash, last = text.rpartition("/")
    name, colon, tag = last.partition(":")
    return head + slash + name, tag if colon else None


def _split_registry(text: str, name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not _looks_like_registry(first):
        repository = name if slash else f"library/{name}"
        return DOCKER_HUB, _checked_repository(text, repository)
    registry = first.lower()
    match = re.fullmatch(_REGISTRY, registry)
    if match is None:
        raise _invalid(text, f"{first!r} is not a registry")
    if match[1] is not None and not 0 < int(match[1]) < 65536:
        raise _invalid(text, f"{match[1]} is not a port")
    if registry == "index.docker.io":
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in rest:
        rest = f"library/{rest}"
    return registry, _checked_repository(text, rest)


def _looks_like_registry(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost"


def _checked_repository(text: str, repository: str) -> str:
    if re.fullmatch(_REPOSITORY, repository):
        return repository
    shown = repository.removeprefix("library/")
    if repository != repository.lower() and re.fullmatch(_REPOSITORY, repository.lower()):
        raise InvalidInput(f"image name {text!r}: {shown!r} has upper-case letters", f"write {shown.lower()}")
    raise _invalid(text, f"{shown!r} is not a repository name")


def _invalid(text: str, cause: str) -> InvalidInput:
    return InvalidInput(f"image name {text[:300]!r}: {cause}", _NAME_HINT)
