# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What containers use, all of them over the same interval."""

from __future__ import annotations

import time
import typing as t

from ..container.stats import Sample, first_sample, stats_of, take_sample
from ..linux.cgroups import layout

if t.TYPE_CHECKING:
    from ..engine import Engine
    from .look_at_containers import Seen

Statistics = dict[str, t.Any]


def measure(engine: Engine, seen: t.Sequence[Seen], interval: float = 0.0) -> list[Statistics | None]:
    """As container/stats.py has them; None for what does not run. `CPU` is the average over `interval`
    seconds; with 0, over the time since the container was started.
    """
    if not interval:
        samples = take_samples(engine, seen)
        return [
            stats_of(sample, first_sample(status.pid, sample)) if sample else None
            for sample, (_record, status) in zip(samples, seen)
        ]
    before = take_samples(engine, seen)
    time.sleep(interval)
    return [
        stats_of(sample, earlier) if sample and earlier else None
        for sample, earlier in zip(take_samples(engine, seen), before)
    ]


def take_samples(engine: Engine, seen: t.Iterable[Seen]) -> list[Sample | None]:
    at = layout()
    return [take_sample(engine.paths, record, status, at) for record, status in seen]
