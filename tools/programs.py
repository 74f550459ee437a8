# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program from one of the environments: `tools/programs.py lint mypy`."""

from __future__ import annotations

import os
import sys

from environments import controller_environment

if __name__ == "__main__":
    environment, program, *arguments = sys.argv[1:]
    directory = controller_environment(environment)
    os.environ["PATH"] = os.pathsep.join([str(directory), os.environ["PATH"]])
    os.execv(directory / program, [program, *arguments])
