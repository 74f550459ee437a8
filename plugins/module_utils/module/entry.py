# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The entry of every module: read parameters, open the engine, run, turn what went wrong into `fail_json`."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ..runtime.engine import Engine, open_engine
from ..runtime.errors import CoracleError, HostNotReady, InvalidInput, from_os_error
from ..runtime.reconcile.repairs import plan_repairs
from ..runtime.reconcile.steps import Plan
from .argspec import ROOTS, ArgumentSpec

Explain = t.Callable[[t.Mapping[str, t.Any]], t.Optional[CoracleError]]
Hidden = t.Callable[[t.Mapping[str, t.Any]], t.Iterable[str]]
Run = t.Callable[[Engine, dict[str, t.Any], bool], dict[str, t.Any]]


class _Module(AnsibleModule):
    """One that says more about arguments that cannot be than that they are unsupported, and finds what is
    hidden in declarations.
    """

    def __init__(
        self, explain: Explain | None, hidden: Hidden | None, options: dict[str, t.Any], **rules: t.Any
    ) -> None:
        self._explain = explain
        self._hidden = hidden
        super().__init__(options, **rules)

    def _log_invocation(self) -> None:
        """As soon as the arguments are read, and before anybody hears of them."""
        params = self.params
        self.no_log_values.update(self._hidden(params) if self._hidden else ())
        self.params = remove_values(params, self.no_log_values)
        try:
            super()._log_invocation()
        finally:
            self.params = params

    def fail_json(self, msg: str, **facts: t.Any) -> t.NoReturn:
        self.no_log_values.update(self._hidden(self.params) if self._hidden else ())
        better = self._explain(self.params) if self._explain else None
        super().fail_json(msg=str(better or msg), **facts)


def run_module(
    spec: ArgumentSpec,
    run: Run,
    *,
    supports_check_mode: bool = True,
    reads: bool = False,
    explain: Explain | None = None,
    hidden: Hidden | None = None,
) -> None:
    """Call `run(engine, params, check_mode)` and exit with the result it returns (results.py) or with its
    error.

    Before it, what running containers have lost is restored (reconcile/repairs.py), unless the module only
    `reads`. `warnings` in the result (sentences) become Ansible's; `diff` is passed on only when the user
    wants it. `explain` finds the error for arguments, as they were given, that the module never takes;
    `hidden` the texts in them that nobody may see, beside those of options with `no_log`.
    """
    whole = spec.merge(ROOTS)
    module = _Module(explain, hidden, whole.options, supports_check_mode=supports_check_mode, **whole.rules)
    repairs = Plan()
    module.add_path_info = lambda result: result  # it would describe a container's `dest` by the host's file
    try:
        _check_privileges()
        with open_engine(*_roots(module.params)) as engine:
            repairs = repairs if reads else _repair(engine, module)
            result = run(engine, module.params, module.check_mode)
    except OSError as error:
        _fail(module, repairs, error, from_os_error(error))
    except CoracleError as error:
        _fail(module, repairs, error, error)
    except Exception as error:
        _fail_unexpectedly(module, error)
    result.update(_with_repairs(repairs, result))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**result)


def _repair(engine: Engine, module: AnsibleModule) -> Plan:
    """What is repaired, or in check mode would be. A repair that fails must not stand in the way of a task
    that may have nothing to do with it.
    """
    repairs = plan_repairs(engine)
    if module.check_mode:
        return repairs
    try:
        for warning in repairs.execute(engine)["warnings"]:
            module.warn(warning)
    except CoracleError as error:
        module.warn(f"{'; '.join(repairs.actions)}: {error}")
        return Plan()
    return repairs


def _with_repairs(repairs: Plan, result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a result says of changes, with the repairs; in check mode the task may have come to the same."""
    if not repairs.changed:
        return {}
    return {"changed": True, "actions": list(dict.fromkeys([*repairs.actions, *result.get("actions", ())]))}


def _fail(module: AnsibleModule, repairs: Plan, cause: Exception, error: CoracleError) -> t.NoReturn:
    """Also a task that fails says what it has done until then."""
    facts = {**error.facts, **_with_repairs(repairs, error.facts)}
    module.fail_json(**{**facts, "msg": str(error), "error": type(cause).__name__})


def _roots(params: dict[str, t.Any]) -> list[str]:
    """Both in one spelling: names of things outside of them are derived from it."""
    roots = []
    for option in ("root", "run_root"):
        if not params[option].startswith("/"):
            raise InvalidInput(f"{option}: {params[option]!r} is not an absolute path")
        roots.append(os.path.normpath("/" + params[option].lstrip("/")))
    if roots[0] == roots[1]:
        raise InvalidInput("root and run_root are the same directory", "run_root is emptied by a reboot")
    return roots


def _check_privileges() -> None:
    """Namespaces, mounts and a state that is root's alone: without root there is nothing to see either."""
    if os.geteuid() != 0:
        raise HostNotReady("coracle.engine needs root on the target", "set become: true")


def _fail_unexpectedly(module: AnsibleModule, error: Exception) -> t.NoReturn:
    import traceback

    text = traceback.format_exc()
    module.fail_json(
        msg=f"unexpected {type(error).__name__}: {error} (a defect of coracle.engine: please report it)",
        exception=text,
        traceback=text.splitlines(),
    )
