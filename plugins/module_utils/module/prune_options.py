# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `container_prune`, and what they mean."""

from __future__ import annotations

import typing as t

from ..runtime.errors import InvalidInput
from ..runtime.reconcile.prune import PruneRequest
from ..runtime.reconcile.prune_filters import KEYS, Filters, parse_filters
from .argspec import ArgumentSpec

_SWITCH = {"type": "bool", "default": False}
_KINDS = dict.fromkeys(KEYS, _SWITCH)
_FILTERS = {f"{kind}_filters": {"type": "dict"} for kind in KEYS}

PRUNE = ArgumentSpec(
    {
        **_KINDS,
        **_FILTERS,
        "builder_cache": _SWITCH,
        "builder_cache_all": _SWITCH,
        "builder_cache_filters": {"type": "dict"},
        "builder_cache_keep_storage": {"type": "str"},
        "everything": _SWITCH,
        "truncate_logs": _SWITCH,
        "keep": {"type": "list", "elements": "str", "default": []},
        "keep_last": {"type": "int"},
        "projects": _SWITCH,
    }
)


def read_prune_request(params: t.Mapping[str, t.Any]) -> PruneRequest:
    """What the task asks for. InvalidInput names the option."""
    kinds = {kind: _filters(params, kind) for kind in KEYS}
    if kinds["images"] is None and params["keep_last"] is not None:
        raise InvalidInput("keep_last is given, but images are not to be pruned", "set images: true")
    if kinds["logs"] is None and params["truncate_logs"]:
        raise InvalidInput("truncate_logs is given, but logs are not to be pruned", "set logs: true")
    return PruneRequest(
        **kinds,
        truncate_logs=params["truncate_logs"],
        keep=tuple(params["keep"]),
        keep_last=params["keep_last"] or 0,
        projects=params["projects"],
    )


def _filters(params: t.Mapping[str, t.Any], kind: str) -> Filters | None:
    """None: things of this kind are not to be pruned."""
    option = f"{kind}_filters"
    filters = parse_filters(kind, params[option], option)
    if params[kind] or params["everything"]:
        return filters
    if params[option]:
        raise InvalidInput(f"{option} is given, but {kind} are not to be pruned", f"set {kind}: true")
    return None
