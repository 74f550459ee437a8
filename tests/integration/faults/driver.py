# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One operation on one engine, in a process of its own that may be killed or lied to at any system call.

    driver.py ROOT RUN_ROOT MODULE:FUNCTION [JSON argument]…

calls `function(engine, *arguments)`. Exit code 0: done. 3: refused, with the sentence on stdout. Anything
else is a bug, or the kill.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import sys

REFUSED = 3
_COLLECTIONS = pathlib.Path(__file__).resolve().parents[3] / ".collections"
_RUNTIME = "ansible_collections.coracle.engine.plugins.module_utils.runtime"


def main(root: str, run_root: str, verb: str, *arguments: str) -> int:
    sys.path.insert(0, str(_COLLECTIONS))
    engine = importlib.import_module(f"{_RUNTIME}.engine")
    errors = importlib.import_module(f"{_RUNTIME}.errors")
    module, _colon, function = verb.partition(":")
    act = getattr(importlib.import_module(module), function)
    try:
        with engine.open_engine(root, run_root) as opened:
            act(opened, *map(json.loads, arguments))
    except (errors.CoracleError, OSError) as error:
        sys.stdout.write(str(error))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
