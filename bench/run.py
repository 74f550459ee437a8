# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every benchmark, one after the other, and write docs/benchmarks.md from the rows that they print.

    bench/run.py

Each row is a ratio of two things measured in turns in one run on one machine: machines differ, ratios less.
"""

from __future__ import annotations

import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCHMARKS = ("no_change.py", "info.py", "containers.py", "start.py", "network.py", "ports.py", "pull.py")
PAGE = """# Benchmarks

Written by `make bench`, which needs root. Every figure was measured side by side in one run; take the ratios
seriously and the milliseconds loosely. What exactly is measured stands at the top of each file in `bench/`.

Machine: {cores} cores, Linux {kernel}, Python {python}.

| what | figure | target | measured |
| --- | --- | --- | --- |
{rows}"""


def main() -> int:
    rows = ""
    for name in BENCHMARKS:
        sys.stderr.write(f"bench/{name}\n")
        done = subprocess.run(
            [sys.executable, ROOT / "bench" / name], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
        )
        rows += done.stdout
    page = PAGE.format(
        cores=os.cpu_count(), kernel=platform.release(), python=platform.python_version(), rows=rows
    )
    (ROOT / "docs" / "benchmarks.md").write_text(page)
    sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
