# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A registry and its mirrors: manifests, configurations and blobs by the distribution API (distribution-spec
1.1, "Pull").

    with contextlib.closing(RegistryClient("docker.io", options)) as client:
        image = client.get_image("library/nginx", "1.27", host_platform())
        raw_config = client.read_blob("library/nginx", image.manifest.config)
        for layer in image.manifest.layers:
            with VerifyingReader(client.open_blob("library/nginx", layer), layer.digest, layer.size) as
            reader: …

Safe for threads: any number of blobs can be read at once, each has its own connection. Digests are computed
from what was received; what the registry calls them in headers is only a hint for `head_manifest`.
"""

from __future__ import annotations

import io
import threading
import typing as t

from ..errors import CoracleError, IntegrityError, InvalidInput, RegistryError
from ..oci.digest import VerifyingReader, is_digest, sha256_digest
from ..oci.documents import ACCEPTED_TYPES, Descriptor, Index, Manifest, parse_document
from ..oci.platforms import Platform, select_platform
from ..oci.strict_json import MAX_DOCUMENT, parse_json_object
from .blob_reader import BlobReader
from .endpoint import Endpoint
from .failures import parse_error_details, printable, raise_not_found
from .options import RegistryOptions

MAX_INDEX_DEPTH = 2
_MAX_TAG_LIST = 1 << 20
_MAX_TAGS = 1000
_SHOWN_TAGS = 8
_ACCEPT = {"Accept": ", ".join(ACCEPTED_TYPES)}
_T = t.TypeVar("_T")


class FetchedDocument(t.NamedTuple):
    raw: bytes
    media_type: str
    """As the registry served it; `parse_document` compares it with what the document says."""
    digest: str
    """Computed from `raw`."""


class FetchedImage(t.NamedTuple):
    """The manifest for one platform, and the index through which it was chosen, if there was one."""

    document: FetchedDocument
    manifest: Manifest
    index_document: FetchedDocument | None

    @property
    def digest(self) -> str:
        """What the name stands for: the digest of the index, else of the manifest."""
        return (self.index_document or self.document).digest


class RegistryClient:
    """`retries` counts the attempts after the first ones; `warnings` are sentences for the user."""

    def __init__(self, registry: str, options: RegistryOptions | None = None) -> None:
        """`registry` as in an image name. Nothing is connected and no file is read yet."""
        options = (options or RegistryOptions()).check()
        self.registry = registry
        self.retries = 0
        self.warnings: list[str] = []
        self._lock = threading.Lock()
        self._sources: dict[str, list[Endpoint]] = {}
        """Of each blob that was opened: who may have it, the one that was opened last before all others."""
        mirrors = options.mirrors.get(registry, ())
        hooks: dict[str, t.Any] = {"count_retry": self._count_retry, "warn": self._warn}
        self._endpoints = [
            *(Endpoint(mirror, options, is_mirror=True, **hooks) for mirror in mirrors),
            Endpoint(registry, options, **hooks),
        ]

    def head_manifest(self, repository: str, target: str) -> Descriptor | None:
        """What a tag or digest leads to now, by one HEAD; None if there is no such thing.

        A registry that does not say the digest in its answer is asked for the document.
        """
        return self._first(
            lambda endpoint: self._head(endpoint, repository, target), self._endpoints, accept=bool
        )

    def get_manifest(
        self, repository: str, target: str, expected_digest: str | None = None
    ) -> FetchedDocument:
        """The manifest or index behind a tag or digest, its digest checked if one is known.

        Raises `NotFound` (with the tags that there are), `IntegrityError`, `RegistryError`,
        `AuthenticationError`.
        """
        wanted = expected_digest or (target if is_digest(target) else None)
        return self._first(
            lambda endpoint: self._get_manifest(endpoint, repository, target, wanted), self._endpoints
        )

    def get_image(
        self, repository: str, target: str, platform: Platform, expected_digest: str | None = None
    ) -> FetchedImage:
        """The manifest for `platform`; an index is followed, and an index in it, no further."""
        top = document = self.get_manifest(repository, target, expected_digest)
        parsed = parse_document(document.raw, document.media_type)
        for _depth in range(MAX_INDEX_DEPTH):
            if isinstance(parsed, Manifest):
                break
            entry = select_platform(parsed, platform)
            document = self.get_manifest(repository, entry.digest)
            parsed = _parse_entry(document, entry)
        if isinstance(parsed, Index):
            raise IntegrityError(
                f"the image index {top.digest} leads to more than {MAX_INDEX_DEPTH} further indexes"
            )
        return FetchedImage(document, parsed, top if document is not top else None)

    def open_blob(self, repository: str, descriptor: Descriptor, offset: int = 0) -> BlobReader:
        """The bytes of a blob from `offset` on. Not verified: the caller hashes them, or uses
        `VerifyingReader`, and says `turn_away` if they are wrong or stop coming.
        """

        def ask(endpoint: Endpoint) -> BlobReader:
            reader = self._open_blob(endpoint, repository, descriptor, offset)
            self._sources[descriptor.digest] = sources[sources.index(endpoint) :]
            return reader

        sources = self._sources.get(descriptor.digest, self._endpoints)
        return self._first(ask, sources)

    def turn_away(self, descriptor: Descriptor, error: CoracleError) -> bool:
        """Open this blob no more where it was opened last. False if there is nowhere else to open it."""
        bad, *others = self._sources.get(descriptor.digest, self._endpoints)
        if not others:
            return False
        self._warn(f"mirror {bad.name} was passed over: {error.message}")
        self._sources[descriptor.digest] = others
        return True

    def read_blob(self, repository: str, descriptor: Descriptor, limit: int = MAX_DOCUMENT) -> bytes:
        """A small blob as a whole, verified: an image configuration."""
        if descriptor.size > limit:
            raise IntegrityError(
                f"{descriptor.digest} is {descriptor.size} bytes large; at most {limit} are read"
            )
        return self._first(
            lambda endpoint: self._read_blob(endpoint, repository, descriptor), self._endpoints
        )

    def close(self) -> None:
        for endpoint in self._endpoints:
            endpoint.close()

    def _first(
        self,
        ask: t.Callable[[Endpoint], _T],
        endpoints: t.Sequence[Endpoint],
        accept: t.Callable[[_T], bool] = lambda answer: True,
    ) -> _T:
        """The first good answer of the mirrors and the registry; what the registry itself says is what
        counts.
        """
        failed: list[str] = []
        for endpoint in endpoints[:-1]:
            try:
                answer = ask(endpoint)
                if accept(answer):
                    return answer
            except InvalidInput:
                raise
            except CoracleError as error:
                failed.append(f"mirror {endpoint.name}: {error.message}")
        try:
            return ask(endpoints[-1])
        except CoracleError as error:
            error.message = "; ".join([error.message, *failed])
            raise

    def _head(self, endpoint: Endpoint, repository: str, target: str) -> Descriptor | None:
        answer = endpoint.fetch("HEAD", repository, f"manifests/{target}", _ACCEPT, 0)
        if answer.status == 404:
            return None
        digest, length = (
            answer.headers.get(name) or "" for name in ("Docker-Content-Digest", "Content-Length")
        )
        if (
            is_digest(digest)
            and length.isdigit()
            and len(length) < 10
            and (not is_digest(target) or target == digest)
        ):
            return Descriptor(answer.headers.get("Content-Type") or "", digest, int(length))
        document = self._get_manifest(endpoint, repository, target, target if is_digest(target) else None)
        return Descriptor(document.media_type, document.digest, len(document.raw))

    def _get_manifest(
        self, endpoint: Endpoint, repository: str, target: str, wanted: str | None
    ) -> FetchedDocument:
        answer = endpoint.fetch("GET", repository, f"manifests/{target}", _ACCEPT, MAX_DOCUMENT)
        if answer.status == 404:
            tags = "" if is_digest(target) else self._similar_tags(endpoint, repository, target)
            raise_not_found(endpoint.name, repository, target, parse_error_details(answer.body), tags)
        digest = sha256_digest(answer.body)
        if wanted and digest != wanted:
            raise IntegrityError(
                f"registry {endpoint.name}: wrong manifest for {repository}: expected {wanted}, got {digest}"
            )
        media_type = answer.headers.get("Content-Type") or ""
        parse_document(answer.body, media_type)  # a mirror that sends something else is passed over
        return FetchedDocument(answer.body, media_type, digest)

    def _similar_tags(self, endpoint: Endpoint, repository: str, tag: str) -> str | None:
        """A few tags that may have been meant; empty when the registry does not say, None without a
        repository.
        """
        import difflib

        try:
            answer = endpoint.fetch("GET", repository, f"tags/list?n={_MAX_TAGS}", {}, _MAX_TAG_LIST)
            if answer.status == 404:
                return None
            tags = parse_json_object(answer.body, "tag list", _MAX_TAG_LIST).get("tags")
        except CoracleError:
            return ""
        names = [name for name in tags if isinstance(name, str)] if isinstance(tags, list) else []
        names = [name for name in names[:_MAX_TAGS] if len(name) <= 128]
        close = difflib.get_close_matches(tag, names, _SHOWN_TAGS, 0.5) or names[:_SHOWN_TAGS]
        return printable(", ".join(close)) + (", …" if len(names) > len(close) else "")

    def _open_blob(
        self, endpoint: Endpoint, repository: str, descriptor: Descriptor, offset: int
    ) -> BlobReader:
        def open_at(headers: dict[str, str]) -> t.Any:
            response = endpoint.open(repository, f"blobs/{descriptor.digest}", headers)
            if response.status == 404:
                response.close()
                self._raise_no_blob(endpoint, repository, descriptor)
            return response

        what = f"{repository}@{descriptor.digest}"
        return BlobReader(open_at, endpoint.explained, endpoint.patience(), what, descriptor.size, offset)

    def _read_blob(self, endpoint: Endpoint, repository: str, descriptor: Descriptor) -> bytes:
        answer = endpoint.fetch("GET", repository, f"blobs/{descriptor.digest}", {}, descriptor.size)
        if answer.status == 404:
            self._raise_no_blob(endpoint, repository, descriptor)
        with VerifyingReader(io.BytesIO(answer.body), descriptor.digest, descriptor.size) as reader:
            return reader.read()

    def _raise_no_blob(self, endpoint: Endpoint, repository: str, descriptor: Descriptor) -> t.NoReturn:
        raise RegistryError(
            f"registry {endpoint.name} does not have the blob {descriptor.digest} of {repository}"
        )

    def _count_retry(self) -> None:
        with self._lock:
            self.retries += 1

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


def _parse_entry(document: FetchedDocument, entry: Descriptor) -> Manifest | Index:
    """What an index entry led to, held against what the entry promised."""
    if len(document.raw) != entry.size:
        raise IntegrityError(
            f"{entry.digest} has {len(document.raw)} bytes; the image index promised {entry.size}"
        )
    parsed = parse_document(document.raw, document.media_type)
    if parsed.media_type != entry.media_type:
        raise IntegrityError(
            f"{entry.digest} is a {parsed.media_type}; the image index promised {entry.media_type}"
        )
    return parsed
