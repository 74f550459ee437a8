# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The entry of every module: read parameters, open the engine, run, turn what went wrong into `fail_json`."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..runtime.engine import Engine, open_engine
from ..runtime.errors import CoracleError
from .argspec import ROOTS, ArgumentSpec

Run = t.Callable[[Engine, dict[str, t.Any], bool], dict[str, t.Any]]


def run_module(spec: ArgumentSpec, run: Run, *, supports_check_mode: bool = True) -> None:
    """Call `run(engine, params, check_mode)` and exit with the result it returns (results.py) or with its
    error.

    `warnings` in the result (sentences) become Ansible's; `diff` is passed on only when the user wants it.
    """
    whole = spec.merge(ROOTS)
    module = AnsibleModule(whole.options, supports_check_mode=supports_check_mode, **whole.rules)
    try:
        with open_engine(module.params["root"], module.params["run_root"]) as engine:
            result = run(engine, module.params, module.check_mode)
    except CoracleError as error:
        module.fail_json(**{**error.facts, "msg": str(error), "error": type(error).__name__})
    except Exception as error:
        _fail_unexpectedly(module, error)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**result)


def _fail_unexpectedly(module: AnsibleModule, error: Exception) -> t.NoReturn:
    import traceback

    text = traceback.format_exc()
    module.fail_json(
        msg=f"unexpected {type(error).__name__}: {error} (a defect of coracle.engine: please report it)",
        exception=text,
        traceback=text.splitlines(),
    )
