# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A pull, as people are used to see it: a line for each layer, then digest and status.

On a terminal the lines are rewritten where they stand, with a bar; elsewhere one line tells about each step.
"""

from __future__ import annotations

import time
import typing as t

from ..operations.make_layers import COMPLETE, EXISTS, MOVING, Progress
from .units import human_size

if t.TYPE_CHECKING:
    from ..oci.platforms import Platform
    from ..oci.reference import Reference
    from ..operations.store_image import Pulled
    from ..registry.options import RegistryOptions
    from .context import Context

_WAITING = "Pulling fs layer"
_SAYINGS = {COMPLETE: "Pull complete", EXISTS: "Already exists"}
_BAR = 50
_PAUSE = 0.1  # seconds between two looks of one line


def pull_with_progress(
    context: Context,
    reference: Reference,
    platform: Platform | None = None,
    quiet: bool = False,
    options: RegistryOptions | None = None,
) -> Pulled:
    """Pull, and tell about it on `context.out`."""
    from ..content.images import find_name
    from ..operations.pull_image import name_of, pull_image

    name = name_of(reference)
    before = find_name(context.engine.records.read(), name)
    say = not quiet and not context.json
    if say:
        context.say(f"{reference.tag or reference.digest}: Pulling from {reference.repository}")
    display = Display(context.out) if say else None
    pulled = pull_image(context.engine, reference, options, platform, display.show if display else None)
    context.engine.warn(*pulled.warnings)
    after = find_name(context.engine.records.read(), name)
    if say:
        is_new = pulled.layers or before is None or before.image_id != pulled.record.id
        context.say(f"Digest: {(after and after.manifest_digest) or pulled.record.manifest_digest}")
        news = "Downloaded newer image for" if is_new else "Image is up to date for"
        context.say(f"Status: {news} {reference.familiar}")
    return pulled


class Display:
    def __init__(self, out: t.TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._lines: dict[str, str] = {}
        self._shown_at: dict[str, float] = {}

    def show(self, progress: Progress) -> None:
        """Called for one layer at a time, from whichever thread."""
        if progress.blob is None:
            return
        key = progress.blob.digest.partition(":")[2][:12]
        text = _SAYINGS.get(progress.stage, _WAITING)
        if progress.stage == MOVING:
            if not self._is_terminal or not self._is_due(key):
                return
            text = f"Downloading  {progress_bar(progress.blob_bytes, progress.blob.size)}"
        if self._lines.get(key) != text:
            self._write(key, f"{key}: {text}")
            self._lines[key] = text

    def _is_due(self, key: str) -> bool:
        now = time.monotonic()
        if now - self._shown_at.get(key, 0.0) < _PAUSE:
            return False
        self._shown_at[key] = now
        return True

    def _write(self, key: str, line: str) -> None:
        if self._is_terminal and key in self._lines:
            up = len(self._lines) - list(self._lines).index(key)
            self._out.write(f"\033[{up}A\r\033[2K{line}\033[{up}B\r")
        else:
            self._out.write(f"{line}\n")
        self._out.flush()


def progress_bar(done: int, total: int) -> str:
    """`[=====>      ]  12.3MB/45.6MB`"""
    filled = _BAR * done // total if total else _BAR
    arrow = "=" * filled if filled >= _BAR else "=" * filled + ">"
    return f"[{arrow[:_BAR].ljust(_BAR)}]  {human_size(done, 4)}/{human_size(total, 4)}"
