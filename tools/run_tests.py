# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the test suite and say what ran, what failed, and what could not run and why.

Everything it needs it installs: Python packages under .cache/, Debian packages where it may. Where containers
cannot run, everything else still does. With CI set, what could not run is a failure.

Words in the variable PYTEST_ARGUMENTS are passed on to pytest.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import shlex
import sys
import threading
import time
import typing as t

import children
import parts
from environments import CACHE, NoInterpreter
from host import prepare_host

_GROUPS = ("lint", "unit", "integration", "system", "bench")
_COUNTED = re.compile(r"(\d+) (passed|failed|error|skipped)")
_FAILED_TEST = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)
_CUT_SHORT = re.compile(r"^!+ .*(stopping after|Interrupted|KeyboardInterrupt).* !+$", re.MULTILINE)
_FEW = 3  # failures that a busy machine may be to blame for


class Outcome(t.NamedTuple):
    name: str
    result: str  # "ok", "FAILED" or "not run"
    seconds: float = 0.0
    reason: str = ""
    counts: t.Mapping[str, int] = {}
    failed_tests: t.Sequence[str] = ()


def main() -> int:
    groups = set(_arguments().groups)
    for_pytest = shlex.split(os.environ.get("PYTEST_ARGUMENTS", ""))
    children.end_on_interrupt()
    status = _summarise(_run_groups(groups, for_pytest))
    return children.interrupted() or status


def _run_groups(groups: set[str], for_pytest: list[str]) -> list[Outcome]:
    outcomes = _run_side_by_side(
        (parts.lint_parts() if "lint" in groups else [])
        + (parts.unit_parts(for_pytest) if "unit" in groups else [])
    )
    if groups & {"integration", "system", "bench"}:
        outcomes += _run_on_this_host(groups, for_pytest)
    return outcomes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("groups", nargs="+", choices=_GROUPS, help="what to run")
    return parser.parse_args()


def _run_side_by_side(todo: list[parts.Part]) -> list[Outcome]:
    """Two at a time. A part is heard of when it has ended: in full if it failed, else in one line."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(_run, todo))


def _run_on_this_host(groups: set[str], for_pytest: list[str]) -> list[Outcome]:
    """The parts that start containers. The first speaks as it goes; beside it, and heard of when they have
    ended, the others one after the other. Measurements have the machine for themselves.
    """
    reason = prepare_host()
    todo = parts.integration_parts(for_pytest, containers=not reason) if "integration" in groups else []
    if reason:
        outcomes = [_run(part, live=True) for part in todo]
        return [*outcomes, Outcome("everything in containers", "not run", 0.0, reason)]
    if "system" in groups:  # the longest of those beside
        todo[1:1] = parts.system_parts(for_pytest)
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        beside = pool.map(_run, todo[1:])
        outcomes = [_run(part, live=True) for part in todo[:1]]
        outcomes += beside
    outcomes = [_try_again(part, outcome) for part, outcome in zip(todo, outcomes)]
    measured = parts.benchmark_parts() if "bench" in groups else []
    return outcomes + [_run(part, live=True) for part in measured]


def _try_again(part: parts.Part, outcome: Outcome) -> Outcome:
    """A few tests that failed while several processes and virtual machines shared the processors are given
    the machine for themselves. Those that pass now are named in the summary: somebody has to look at them.
    """
    if not part.alone or outcome.result != "FAILED" or not 0 < len(outcome.failed_tests) <= _FEW:
        return outcome
    again = _run(part.alone(outcome.failed_tests), live=True)
    if again.result != "ok":
        return outcome
    counts = collections.Counter(outcome.counts)
    counts.update(passed=len(outcome.failed_tests), failed=-len(outcome.failed_tests))
    reason = "only alone: " + ", ".join(outcome.failed_tests)
    seconds = outcome.seconds + again.seconds
    return Outcome(outcome.name, "ok", seconds, reason, +counts)


def _run(part: parts.Part, *, live: bool = False) -> Outcome:
    started = time.monotonic()
    try:
        children.check()
        command = part.prepare()
        if live:
            _screen.tell(f"\n=== {part.name}")
        status, output = _execute(command, CACHE / "logs" / f"{part.name.replace(' ', '-')}.log", live=live)
    except (NoInterpreter, RuntimeError) as error:
        return _tell(Outcome(part.name, "not run", time.monotonic() - started, str(error)), "")
    result = "FAILED" if status else "ok"
    counts = _counts(output) if "pytest" in command.argv else {}
    whole = counts and not counts.get("error") and not _CUT_SHORT.search(output)
    failed = _FAILED_TEST.findall(output) if whole else []
    reason = f"exit status {status}" * bool(status)
    outcome = Outcome(part.name, result, time.monotonic() - started, reason, counts, failed)
    return _tell(outcome, "" if live else output)


def _execute(command: parts.Command, log: pathlib.Path, *, live: bool) -> tuple[int, str]:
    """Output goes through a file: a pipe would be waited on as long as any left over process holds it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w+", errors="replace") as written, log.open(errors="replace") as output:
        with children.running(command.argv, command.cwd, command.env, written) as process:
            while live and process.poll() is None:
                time.sleep(0.2)
                _screen.show(output.read())
            status = process.wait()
        if live:
            _screen.show(output.read())
        output.seek(0)
        return status, output.read()


def _counts(output: str) -> dict[str, int]:
    """What pytest's last line says: `3 failed, 120 passed, 1 error in 61.20s`."""
    last = output.rstrip().rsplit("\n", 1)[-1]
    return {word: int(number) for number, word in _COUNTED.findall(last)}


def _tell(outcome: Outcome, output: str) -> Outcome:
    heading = f"\n=== {outcome.name}\n{output}\n" if outcome.result == "FAILED" and output else ""
    _screen.tell(heading + _line(outcome))
    return outcome


class _Screen:
    """Shared by what runs at the same time: whatever is told begins on a line of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = "\n"

    def show(self, text: str) -> None:
        """Output as it comes."""
        with self._lock:
            self._write(text)

    def tell(self, text: str) -> None:
        with self._lock:
            self._write(("" if self._last == "\n" else "\n") + text + "\n")

    def _write(self, text: str) -> None:
        if text:
            print(text, end="", flush=True)
            self._last = text[-1]


_screen = _Screen()


def _line(outcome: Outcome) -> str:
    said = ", ".join(f"{number} {word}" for word, number in outcome.counts.items())
    if outcome.reason and (outcome.result == "ok" or not said):
        said = f"{said}; {outcome.reason}" if said else outcome.reason
    return f"{outcome.result:8}{outcome.name:42}{outcome.seconds:7.1f} s  {said}".rstrip()


def _summarise(outcomes: list[Outcome]) -> int:
    total: collections.Counter[str] = collections.Counter()
    print("\n=== summary")
    for outcome in outcomes:
        print(_line(outcome))
        total.update(outcome.counts)
        if outcome.result == "FAILED" and not outcome.counts:  # a linter
            total["failed"] += 1
    failed = any(outcome.result == "FAILED" for outcome in outcomes)
    if os.environ.get("CI") and any(outcome.result == "not run" for outcome in outcomes):
        print("CI is set: what could not run counts as a failure")
        failed = True
    print(
        f"\n{total['passed']} passed, {total['failed'] + total['error']} failed, {total['skipped']} skipped"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
