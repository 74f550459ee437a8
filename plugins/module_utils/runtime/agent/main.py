# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The command line of the agent: `coracle.pyz --root DIR --run-root DIR VERB …`.

exited ID NONCE    conmon: the container's run has ended
restore            boot: start what its restart policy wants up
shutdown           shutdown: stop everything, last started first
keep-logs          give full log segments their names until nobody writes logs any more
rotate-logs        the same until there is nothing to do
keep-health        probe containers with a health check until none of them runs any more
look-after-firewall    systemd: make the firewall whole when somebody has taken it away
"""

from __future__ import annotations

import os
import sys
import typing as t

from ..engine import Engine, open_engine
from ..errors import CoracleError
from ..operations.hold_version import hold_own_version
from ..paths import DEFAULT_ROOT, DEFAULT_RUN_ROOT

USAGE = """\
usage: coracle.pyz [--root DIR] [--run-root DIR] exited ID NONCE | restore | shutdown | keep-logs |
rotate-logs | keep-health | look-after-firewall
"""


def main(arguments: t.Sequence[str]) -> t.NoReturn:
    """Exit code 0, 1 with a sentence on standard error, 2 for a command that is not understood."""
    roots, words = _parse(arguments)
    verb = _VERBS.get((words[0], len(words) - 1)) if words else None
    if roots is None or verb is None:
        sys.stderr.write(USAGE)
        raise SystemExit(2)
    os.umask(0o077)
    hold_own_version()
    with open_engine(roots["--root"], roots["--run-root"]) as engine:
        try:
            verb(engine, *words[1:])
        except CoracleError as error:
            sys.stderr.write(f"coracle: {error}\n")
            raise SystemExit(1) from None
    raise SystemExit(0)


def _parse(arguments: t.Sequence[str]) -> tuple[dict[str, str] | None, list[str]]:
    roots = {"--root": DEFAULT_ROOT, "--run-root": DEFAULT_RUN_ROOT}
    words = list(arguments)
    while words and words[0].startswith("--"):
        if words[0] not in roots or len(words) < 2:
            return None, []
        roots[words[0]] = words[1]
        del words[:2]
    return roots, words


def _exited(engine: Engine, container_id: str, nonce: str) -> None:
    from ..operations.clear_idle_host import clear_idle_host_later
    from ..operations.handle_exit import handle_exit

    handle_exit(engine, container_id, nonce)
    clear_idle_host_later(engine)


def _restore(engine: Engine) -> None:
    from ..operations.restore_containers import restore_containers

    for name in restore_containers(engine):
        sys.stdout.write(f"{name} is up\n")


def _shutdown(engine: Engine) -> None:
    from ..operations.restore_containers import shut_down_containers

    shut_down_containers(engine)


def _keep_logs(engine: Engine) -> None:
    from ..operations.watch_logs import keep_logs

    keep_logs(engine)


def _rotate_logs(engine: Engine) -> None:
    from ..operations.watch_logs import rotate_logs

    rotate_logs(engine)


def _keep_health(engine: Engine) -> None:
    from ..operations.watch_health import keep_health

    keep_health(engine)


def _look_after_firewall(engine: Engine) -> None:
    from ..operations.guard_firewall import guard_firewall

    def said(lost: str) -> None:
        sys.stdout.write(f"<5>the firewall of the containers is restored: {lost}\n")  # sd-daemon(3): notice
        sys.stdout.flush()

    guard_firewall(engine, said)


_VERBS: dict[tuple[str, int], t.Callable[..., None]] = {
    ("exited", 2): _exited,
    ("restore", 0): _restore,
    ("shutdown", 0): _shutdown,
    ("keep-logs", 0): _keep_logs,
    ("rotate-logs", 0): _rotate_logs,
    ("keep-health", 0): _keep_health,
    ("look-after-firewall", 0): _look_after_firewall,
}
