# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The result of `container_prune`: the keys of community.docker's docker_prune, and those of every task."""

from __future__ import annotations

import typing as t

from ..runtime.reconcile.prune import Pruned
from ..runtime.reconcile.prune_steps import BUILD_CACHE, CONTAINERS, IMAGES, KINDS, LOGS, NETWORKS, VOLUMES
from .results import result_of

_WITHOUT_SPACE = (NETWORKS,)


def prune_result(pruned: Pruned, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Keys of kinds that were not to be pruned are left out."""
    asked = [kind for kind in KINDS if params[kind] or params["everything"]]
    facts: dict[str, t.Any] = {}
    for kind in (CONTAINERS, IMAGES, NETWORKS, VOLUMES, LOGS):
        if kind in asked:
            facts[kind] = pruned.entries[kind]
    if BUILD_CACHE in asked:
        facts["builder_cache_caches_deleted"] = pruned.entries[BUILD_CACHE]
    for kind in asked:
        if kind not in _WITHOUT_SPACE:
            facts[f"{kind}_space_reclaimed"] = pruned.reclaimed[kind]
    facts["space_reclaimed"] = sum(pruned.reclaimed.values())
    return result_of(pruned.plan, **facts, warnings=list(pruned.warnings))
