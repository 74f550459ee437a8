# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tasks on localhost through a real ansible-playbook, as users run them, on an engine of the test's own."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.module.container_options import (
    CONTROL,
    DESCRIPTION,
    read_description,
    read_request,
)
from ansible_collections.coracle.engine.plugins.module_utils.module.container_results import container_result
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container import (
    plan_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_sight import Sight
from ansible_collections.coracle.engine.tests.integration.module_container.rehearsals import (
    Result,
    Task,
    check_rehearsals,
    compare,
    with_rehearsals,
)

REPOSITORY = pathlib.Path(__file__).parents[3]
TARGET_PYTHON = "/usr/bin/python3"


class Target:
    """localhost with an engine of its own; `image` is the name of an image in the registry at `registry`.

    `network_mode` is that of containers for which a test says nothing: none, for whom networks do not matter
    and who shall not touch those of this machine; None is the default that users have. `unrehearsed` is the
    reason of a test for not running its tasks in check mode first.
    """

    def __init__(self, paths: Paths, work: pathlib.Path, image: str, registry: str) -> None:
        self.paths = paths
        self.work = work
        self.image = image
        self.registry = registry
        self.network_mode: str | None = "none"
        self.sent: list[str] = []
        self.unrehearsed = ""

    def run(self, *tasks: Task, hosts: int = 1, **environment: str) -> list[Result]:
        """The results of the tasks of one play, in order; those that failed have `failed`.

        Each is rehearsed before (rehearsals.py).

        With several `hosts`, names for this machine, each task has as many results. Afterwards `sent` has
        the names of the modules that have travelled for them.
        """
        if self.unrehearsed or hosts > 1:
            return self._play(tasks, hosts, environment)
        whole = with_rehearsals(tasks)
        results = self._play([task for task, _added in whole], hosts, environment)
        check_rehearsals([task for task, _added in whole], results)
        return [result for result, (_task, added) in zip(results, whole) if not added]

    def _play(self, tasks: t.Sequence[Task], hosts: int, environment: t.Mapping[str, str]) -> list[Result]:
        recorded = self.work / "results.json"
        recorded.unlink(missing_ok=True)
        play = {
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": TARGET_PYTHON},
            "tasks": [{**task, "ignore_errors": True} for task in tasks],
        }
        playbook = self.work / "play.yml"
        playbook.write_text(json.dumps([play]))
        done = subprocess.run(
            [
                str(pathlib.Path(sys.executable).parent / "ansible-playbook"),
                "-vvv",
                "-i",
                "".join(f"host{number}," for number in range(hosts)),
                str(playbook),
            ],
            cwd=self.work,
            env={**self._environment(recorded), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        results = (
            [json.loads(line) for line in recorded.read_text().splitlines()] if recorded.exists() else []
        )
        assert len(results) == len(tasks) * hosts, done.stdout + done.stderr
        self.sent = re.findall(r"Using module file \S*/(\w+)\.py", done.stdout)
        return results

    def make(self, state: str = "started", **options: t.Any) -> Result:
        """What a container task would do and return, without Ansible around it: for the scenery of a test."""
        specification = {**CONTROL.options, **DESCRIPTION.options}
        defaults = {name: option.get("default") for name, option in specification.items()}
        options = self._with_network_mode({"image": self.image, "state": state, **options})
        params = {**defaults, "name": "web", **options}
        with Engine(self.paths) as engine:
            asked, request = read_description(params), read_request(params, None)
            foreseen = plan_container(Sight(engine, rehearses=True), asked, request)
            rehearsal = container_result(engine, foreseen, {}, True)
            planned = plan_container(Sight(engine), asked, request)
            result = container_result(engine, planned, planned.plan.execute(engine), False)
        compare(rehearsal, result, str(options))
        return result

    def remove(self, name: str = "web") -> None:
        with Engine(self.paths) as engine:
            remove_container(engine, name, volumes=True)

    def container(self, check: bool = False, diff: bool = False, **options: t.Any) -> Task:
        defaults = {"name": "web", "insecure_registries": [self.registry]}
        options = self._with_network_mode(options)
        return self._task("coracle.engine.container", check, diff, {**defaults, **options})

    def info(self, check: bool = False, **options: t.Any) -> Task:
        return self._task("coracle.engine.container_info", check, False, options)

    def exec(self, check: bool = False, **options: t.Any) -> Task:
        return self._task("coracle.engine.container_exec", check, False, {"container": "web", **options})

    def volume(self, check: bool = False, diff: bool = False, **options: t.Any) -> Task:
        return self._task("coracle.engine.volume", check, diff, {"name": "data", **options})

    def volume_info(self, check: bool = False, **options: t.Any) -> Task:
        return self._task("coracle.engine.volume_info", check, False, options)

    def network(self, check: bool = False, diff: bool = False, **options: t.Any) -> Task:
        return self._task("coracle.engine.network", check, diff, {"name": "backend", **options})

    def network_info(self, check: bool = False, **options: t.Any) -> Task:
        return self._task("coracle.engine.network_info", check, False, options)

    def one(self, **options: t.Any) -> Result:
        """The result of one container task that succeeds."""
        [result] = self.run(self.container(**options))
        assert not result.get("failed"), result
        return result

    def fails(self, **options: t.Any) -> str:
        """The message of one container task that fails."""
        [result] = self.run(self.container(**options))
        assert result.get("failed"), result
        return str(result["msg"])

    def _with_network_mode(self, options: Task) -> dict[str, t.Any]:
        """Where the task is a whole declaration."""
        says_nothing = options.get("image") and options.get("state") != "absent"
        if self.network_mode and says_nothing and not {"network_mode", "networks"}.intersection(options):
            return {**options, "network_mode": self.network_mode}
        return dict(options)

    def _task(self, module: str, check: bool, diff: bool, options: Task) -> Task:
        roots = {"root": self.paths.root, "run_root": self.paths.run_root}
        return {module: {**options, **roots}, "check_mode": check, "diff": diff}

    def _environment(self, recorded: pathlib.Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_CALLBACK_PLUGINS": str(pathlib.Path(__file__).parent / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "record_results",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            "RECORD_RESULTS": str(recorded),
        }
