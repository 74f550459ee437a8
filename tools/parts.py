# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the test suite: what each of them runs, and on which Python."""

from __future__ import annotations

import os
import pathlib
import typing as t

import packages
import sanity
from environments import CACHE, ROOT, controller_environment, target_environment
from interpreters import Version, interpreters

# Besides the default one: the oldest target, and the newest that the oldest ansible-core supports.
_TARGET_PYTHONS = ((3, 9), (3, 13))
_WORKERS = ["-n", str(len(os.sched_getaffinity(0)) + 1), "--dist", "worksteal"]
_KEPT_BY_SUDO = ("PATH", "CI", "CORACLE_VM_SUITES")
_WITH_ANSIBLE = ["-p", "pytest_ansible.plugin", "--ansible-unit-inject-only"]
_TARGET_TESTS = ["tests/unit/plugins/module_utils", "tests/unit/plugins/modules"]


class Command(t.NamedTuple):
    argv: list[str]
    cwd: pathlib.Path = ROOT
    env: t.Mapping[str, str] = os.environ


class Part(t.NamedTuple):
    """One line of the summary. `prepare`, called at its turn, makes what the command needs and returns it;
    `alone` is the part of these tests alone, in one process.
    """

    name: str
    prepare: t.Callable[[], Command]
    alone: t.Callable[[t.Sequence[str]], Part] | None = None


def lint_parts() -> list[Part]:
    """Longest first: two run at a time."""
    return [
        Part("ansible-test sanity", _sanity("main", "--skip-test", "import", "--skip-test", "compile")),
        Part(
            "ansible-test sanity on every Python", _sanity("pythons", "--test", "import", "--test", "compile")
        ),
        Part("ansible-lint", _linter("ansible-lint", "--offline", "--strict", "--nocolor", "-q")),
        Part("antsibull-docs", _linter("antsibull-docs", "lint-collection-docs", "--plugin-docs", ".")),
        Part("mypy", _linter("mypy")),
        Part("ruff check", _linter("ruff", "check", ".")),
        Part("ruff format", _linter("ruff", "format", "--check", ".")),
        Part("yamllint", _linter("yamllint", "--strict", ".")),
        Part("antsibull-changelog", _linter("antsibull-changelog", "lint")),
    ]


def unit_parts(arguments: t.Sequence[str] = ()) -> list[Part]:
    parts = [Part("unit tests", _pytest("test", ["tests/unit"], arguments))]
    parts += [
        Part("unit tests on Python {}.{}".format(*version), _target_pytest(version, arguments))
        for version in _TARGET_PYTHONS
        if version in interpreters()
    ]
    return parts


def integration_parts(arguments: t.Sequence[str] = (), *, containers: bool = True) -> list[Part]:
    """Without `containers` only the tests that need neither root nor a container.

    All of them run in several processes: every test has an engine of its own.
    """
    chosen = ["tests/integration"] if containers else ["tests/integration", "-m", "unprivileged"]
    if not arguments:
        chosen += _WORKERS

    def alone(tests: t.Sequence[str]) -> Part:
        return Part("integration tests alone", _pytest("test", tests, root=containers))

    parts = [Part("integration tests", _pytest("test", chosen, arguments, root=containers), alone)]
    if containers and not arguments:
        smoke = _pytest("newest", ["tests/integration", "-m", "smoke"], root=True)
        parts.append(Part("smoke tests with the newest ansible-core", smoke))
        parts.append(
            Part("pytest-ansible", _pytest("test", [*_WITH_ANSIBLE, "tests/pytest_ansible"], root=True))
        )
    return parts


def system_parts(arguments: t.Sequence[str] = ()) -> list[Part]:
    run = _pytest("test", ["tests/system"], arguments, root=True)

    def prepare() -> Command:
        reason = packages.install(packages.listed("tests/system/packages.txt"))
        if reason:
            raise RuntimeError(reason)
        return run()

    def alone(tests: t.Sequence[str]) -> Part:
        return Part("system tests alone", _pytest("test", tests, root=True))

    return [Part("system tests", prepare, alone)]


def benchmark_parts(arguments: t.Sequence[str] = ()) -> list[Part]:
    def prepare() -> Command:
        reason = packages.install(packages.listed("bench/packages.txt"))
        if reason:
            raise RuntimeError(reason)
        python = str(controller_environment("bench") / "python")
        return Command([*(packages.as_root() or []), python, "bench/run.py", *arguments])

    return [Part("benchmarks", prepare)]


def _linter(program: str, *arguments: str) -> t.Callable[[], Command]:
    def prepare() -> Command:
        programs = controller_environment("lint")
        path = os.pathsep.join(
            [str(programs), os.environ["PATH"]]
        )  # some of them call ansible-doc and the like
        return Command([str(programs / program), *arguments], env={**os.environ, "PATH": path})

    return prepare


def _sanity(part: str, *arguments: str) -> t.Callable[[], Command]:
    def prepare() -> Command:
        programs = controller_environment("lint")
        argv = [str(programs / "ansible-test"), "sanity", "--color", "no", *arguments]
        return Command(argv, sanity.copy_collection(part), sanity.surroundings(part, programs))

    return prepare


def _pytest(
    environment: str, tests: t.Sequence[str], arguments: t.Sequence[str] = (), *, root: bool = False
) -> t.Callable[[], Command]:
    def prepare() -> Command:
        name = "-".join([environment, *(pathlib.Path(word).name for word in tests if "/" in word)])
        return _pytest_command(controller_environment(environment), name, tests, arguments, root=root)

    return prepare


def _target_pytest(version: Version, arguments: t.Sequence[str]) -> t.Callable[[], Command]:
    def prepare() -> Command:
        name = "{}.{}".format(*version)
        tests = [path for path in _TARGET_TESTS if (ROOT / path).exists()]
        return _pytest_command(target_environment(name, interpreters()[version]), name, tests, arguments)

    return prepare


def _pytest_command(
    programs: pathlib.Path,
    name: str,
    tests: t.Sequence[str],
    arguments: t.Sequence[str],
    *,
    root: bool = False,
) -> Command:
    """Paths among the arguments stand for the whole. Two that run at once would disturb a common cache."""
    if any((ROOT / word.split("::")[0]).exists() for word in arguments):
        tests = [word for word in tests if not word.startswith("tests/")]
    cache = ["-o", f"cache_dir={CACHE / 'pytest' / name}"]
    argv = [str(programs / "python"), "-m", "pytest", *cache, *tests, *arguments]
    become = (packages.as_root() or []) if root else []
    if become:
        kept = [f"{name}={os.environ[name]}" for name in _KEPT_BY_SUDO if name in os.environ]
        argv = [*become, "env", *kept, *argv]
    return Command(argv)
