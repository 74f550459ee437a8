# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Is a name free? If not, Docker's users know this sentence."""

from __future__ import annotations

import typing as t

from ..errors import Conflict

if t.TYPE_CHECKING:
    from .context import Context


def check_free(context: Context, name: str) -> None:
    """Whoever takes it between this look and the deed is found by the deed."""
    from ..container.records import find_remains

    taken = find_remains(context.engine.records, name)
    if taken is not None:
        raise Conflict(
            f'Conflict. The container name "/{name}" is already in use by container "{taken.id}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )
