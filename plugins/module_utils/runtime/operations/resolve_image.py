# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which image is meant, is it here, and does it have to be pulled? Looks only: at our records and, where it
is needed, with one HEAD request at the registry.

    policy    pulls when
    never     never
    missing   the image is not here, or is of another platform than was asked for
    always    also when the registry has another digest for the tag by now
    newer     as always, but what is here is good enough as long as the registry does not answer

What is named by digest cannot change: it is only pulled when it is missing.
"""

from __future__ import annotations

import typing as t

from ..content.images import ImageRecord, names_for, select_image
from ..errors import NotFound, RegistryError, TimedOut, doing
from ..oci.reference import Reference, is_image_id, parse_reference

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..registry.options import RegistryOptions

POLICIES = ("missing", "always", "never", "newer")


class ResolvedImage(t.NamedTuple):
    """`record` is what is here; with `must_pull` it is not what is wanted, and `reason` says why.

    `reference` is None for an image that was asked for by its id. `digest` is what the registry has, if it
    was asked. With neither `record` nor `must_pull` the image is not here and must not be pulled.
    """

    reference: Reference | None
    record: ImageRecord | None
    must_pull: bool = False
    reason: str = ""
    digest: str | None = None
    warning: str = ""
    coming: bool = False
    """Somebody else has been asked to bring it: it is there when it is needed."""


def resolve_image(
    engine: Engine,
    text: str,
    pull: str = "missing",
    options: RegistryOptions | None = None,
    platform: str | None = None,
) -> ResolvedImage:
    """What an image name or an image id stands for. NotFound for an id that is not here, and when the
    registry is asked and has no such image.
    """
    if is_image_id(text):
        return ResolvedImage(None, _by_id(engine, text))
    reference = parse_reference(text)
    record = select_image(engine.records.read(), reference)
    reason = _why_not_this(record, platform)
    if pull == "never":
        return ResolvedImage(reference, None if reason else record)
    if not reason and (pull == "missing" or reference.digest):
        return ResolvedImage(reference, record)
    try:
        with doing(f"look for {reference.familiar}"):
            digest = _digest_at_registry(reference, options)
    except (RegistryError, TimedOut, NotFound) as error:
        if reason or pull != "newer":
            raise
        return ResolvedImage(reference, record, warning=f"what is here of {reference} is used: {error}")
    reason = reason or _moved(engine, reference, digest)
    return ResolvedImage(reference, record, bool(reason), reason, digest)


def _by_id(engine: Engine, text: str) -> ImageRecord:
    record = select_image(engine.records.read(), text)
    if record is None:
        raise NotFound(f"there is no image with the id {text}", "name the image to have it pulled")
    return record


def _why_not_this(record: ImageRecord | None, platform: str | None) -> str:
    """Empty: the image here is of the platform asked for. Without a platform any will do that a name was
    given to.
    """
    if record is None:
        return "it is not here"
    if platform is None:
        return ""
    from ..oci.platforms import parse_platform, platform_matches

    wanted, actual = parse_platform(platform), record.image_config.platform
    return "" if platform_matches(wanted, actual) else f"what is here is for {actual}, wanted is {wanted}"


def _digest_at_registry(reference: Reference, options: RegistryOptions | None) -> str:
    import contextlib

    from ..registry.client import RegistryClient

    with contextlib.closing(RegistryClient(reference.registry, options)) as client:
        found = client.head_manifest(reference.repository, reference.target)
        if found is None:
            # Costs a second request, but its error names the tags that there are.
            client.get_manifest(reference.repository, reference.target)
            raise NotFound(f"registry {reference.registry} does not have {reference.familiar}")
    return found.digest


def _moved(engine: Engine, reference: Reference, digest: str) -> str:
    """Empty: the name, or the manifest of the image it leads to, still has this digest."""
    rows = engine.records.read()
    known = [name.manifest_digest for name in names_for(rows, reference)]
    record = select_image(rows, reference)
    if digest in known or (record is not None and digest == record.manifest_digest):
        return ""
    return f"{reference.familiar} is now {digest[:19]} in the registry"
