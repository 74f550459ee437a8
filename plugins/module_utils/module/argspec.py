# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Argument specs as values that merge, so that a module is its own options plus shared groups."""

from __future__ import annotations

import typing as t

from ..runtime.paths import DEFAULT_ROOT, DEFAULT_RUN_ROOT

_RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if")


class ArgumentSpec:
    """`options` as AnsibleModule takes them, and its `rules` (`mutually_exclusive`, `required_if`, …)."""

    def __init__(self, options: dict[str, t.Any] | None = None, **rules: t.Any) -> None:
        self.options = dict(options or {})
        self.rules = rules

    def merge(self, *others: ArgumentSpec) -> ArgumentSpec:
        """All options and all rules of this spec and the others, as a new spec; later options win."""
        merged = ArgumentSpec(self.options, **self.rules)
        for other in others:
            merged.options.update(other.options)
            for name in _RULES:
                together = [*merged.rules.get(name, ()), *other.rules.get(name, ())]
                if together:
                    merged.rules[name] = together
            by = {**merged.rules.get("required_by", {}), **other.rules.get("required_by", {})}
            if by:
                merged.rules["required_by"] = by
        return merged


ROOTS = ArgumentSpec(
    {
        "root": {"type": "path", "default": DEFAULT_ROOT},
        "run_root": {"type": "path", "default": DEFAULT_RUN_ROOT},
    }
)
