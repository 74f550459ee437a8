# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Look at everything that the engine has on this host: is it whole, and does it belong to something?

    state file    its pages, its references, its records                     (check_state.py)
    images        layers, manifests, configurations, blobs; what nobody needs (check_images.py)
    containers    runs that are over, removals and replacements that were cut off; mounts, control groups,
                  network namespaces and directories of nobody              (check_containers.py)
    networks      firewall, names, links                                    (check_networks.py)
    volumes       their directories and mounts                              (check_volumes.py)

Looking changes nothing. What somebody is working with is left out: it is not finished, not broken.
"""

from __future__ import annotations

import typing as t

from ..errors import CoracleError, from_os_error
from .check_containers import check_containers
from .check_images import check_images
from .check_networks import check_networks
from .check_state import check_state
from .check_volumes import check_volumes

if t.TYPE_CHECKING:
    from ..engine import Engine
    from ..registry.options import RegistryOptions
    from .findings import Finding, Findings


class Checked(t.NamedTuple):
    """A finding, whether it has been mended, and what stood in the way."""

    finding: Finding
    mended: bool = False
    error: str = ""


def check_store(engine: Engine, *, content: bool = False, options: RegistryOptions | None = None) -> Findings:
    """Everything that is wrong, in the order in which it has to be mended. `content`: every blob is read, and
    every file of every layer counted. `options`: for the registries that blobs come from again.
    """
    if not engine.exists:
        return
    found = list(check_state(engine))
    yield from found
    if any(finding.mend is None and finding.advice.startswith("restore") for finding in found):
        return  # what a damaged file says about the rest is worth nothing
    yield from check_containers(engine)
    yield from check_networks(engine)
    yield from check_volumes(engine)
    yield from check_images(engine, content, options)


def repair_store(
    engine: Engine, *, content: bool = False, options: RegistryOptions | None = None
) -> t.Iterator[Checked]:
    """The same, each finding mended before the next thing is looked at."""
    for finding in check_store(engine, content=content, options=options):
        if finding.mend is None:
            yield Checked(finding)
            continue
        try:
            finding.mend()
        except (CoracleError, OSError) as caught:
            error = caught if isinstance(caught, CoracleError) else from_os_error(caught)
            yield Checked(finding, error=str(error))
        else:
            yield Checked(finding, mended=True)
