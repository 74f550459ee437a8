# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is not as it should be, in a sentence, and what would mend it."""

from __future__ import annotations

import typing as t


class Finding(t.NamedTuple):
    """`mend` is None for what only the user can decide about; then `advice` says what."""

    problem: str
    mend: t.Callable[[], object] | None = None
    advice: str = ""

    def describe(self) -> str:
        return f"{self.problem} ({self.advice})" if self.advice else self.problem


Findings = t.Iterator[Finding]
