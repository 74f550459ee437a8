# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Lines of logs in results: text, whatever a program has written."""

from __future__ import annotations

import typing as t

from ..runtime.container.log_lines import LogLine


def text_of(line: LogLine, *, tty: bool = False, timestamps: bool = False) -> str:
    """Bytes that are not UTF-8 become U+FFFD. A terminal has put a carriage return before every line feed."""
    text = line.text.decode("utf-8", "replace")
    if tty and text.endswith("\r"):
        text = text[:-1]
    return f"{line.time} {text}" if timestamps else text


def entry_of(line: LogLine, *, tty: bool = False) -> dict[str, t.Any]:
    return {"time": line.time, "stream": line.stream, "line": text_of(line, tty=tty)}
