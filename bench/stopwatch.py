# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks, and how long each takes: from its start to its result, as a user waits for it.

Local connection with pipelining; the target's Python is the distribution's, if it has one.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent

Task = t.Mapping[str, t.Any]

_TARGET_PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
_STOPWATCH = """
import os
import time

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "stopwatch"

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.started = time.perf_counter()

    def v2_runner_on_ok(self, result):
        seconds = time.perf_counter() - self.started
        with open(os.environ["STOPWATCH"], "a", encoding="utf-8") as file:
            file.write(f"{seconds} {result._result.get('changed')}\\n")
"""


class Measured(t.NamedTuple):
    seconds: float
    changed: bool


class Playbooks:
    """One playbook after the other, in a directory of its own below `work`."""

    def __init__(self, work: pathlib.Path) -> None:
        self.directory = work / "playbooks"
        (self.directory / "callback").mkdir(parents=True)
        (self.directory / "callback" / "stopwatch.py").write_text(_STOPWATCH)

    def play(self, tasks: t.Sequence[Task], environment: t.Mapping[str, str] | None = None) -> list[Measured]:
        """The times of the tasks. A task that fails is a RuntimeError with all that Ansible said."""
        times = self.directory / "times"
        times.unlink(missing_ok=True)
        play = {
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": _TARGET_PYTHON},
            "tasks": tasks,
        }
        playbook = self.directory / "play.yml"
        playbook.write_text(json.dumps([play]))
        program = str(pathlib.Path(sys.executable).parent / "ansible-playbook")
        done = subprocess.run(
            [program, "-i", "bench,", str(playbook)],
            cwd=self.directory,
            env={**os.environ, **self._environment(times), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        lines = [line.split() for line in times.read_text().splitlines()]
        return [Measured(float(seconds), changed == "True") for seconds, changed in lines]

    def _environment(self, times: pathlib.Path) -> dict[str, str]:
        return {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_CALLBACK_PLUGINS": str(self.directory / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "stopwatch",
            "STOPWATCH": str(times),
        }
