#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_wait
short_description: Wait for containers
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Waits until one or many containers run, are healthy, have ended or are gone, or until they have written a
    certain line.
  - Waiting ends within milliseconds after it came true, and at once when it cannot come true any more. It
    holds up no other task and changes nothing.
  - When waiting fails, the message says of every container where it stands, with the last lines of its log.
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
  - coracle.engine._attributes.info_module
options:
  name:
    description:
      - Names or full IDs of containers, all of which are waited for. A single one may be given as a string.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(running) is also waited for if there is no such container yet.
      - V(healthy) needs a container with a health check, and fails at once without one. It fails when the
        container ends or becomes unhealthy.
      - V(exited) is reached by a container that has ended and that no restart policy will start again. A
        container that was never started is waited for.
      - V(removed) is reached when there is no such container (any more).
      - Either this or O(log) is needed.
    type: str
    choices: [running, healthy, exited, removed]
  log:
    description:
      - A regular expression of Python that has to be found in a line that the container has written since it
        was started last. Waiting fails when the container ends without it.
    type: str
  exit_code:
    description:
      - With O(state=exited), the exit codes that are fine. Any other makes the task fail.
      - Without it any code is fine; it is in RV(containers).
    type: list
    elements: int
  timeout:
    description:
      - Fail after this many seconds.
    type: float
    default: 300.0
seealso:
  - module: coracle.engine.container
  - module: coracle.engine.container_info
"""

EXAMPLES = r"""
- name: Until the database accepts connections
  coracle.engine.container_wait:
    name: db
    log: ready to accept connections
    timeout: 60

- name: Until all workers are done, successfully
  coracle.engine.container_wait:
    name: [import-1, import-2, import-3]
    state: exited
    exit_code: 0
    timeout: 3600
  register: workers

- name: Until somebody else has removed it
  coracle.engine.container_wait:
    name: maintenance
    state: removed
"""

RETURN = r"""
containers:
  description:
    - Where the containers stood when waiting for them was over, in the order of O(name).
    - C(exit_code) is null if the container has not ended, or if it was removed before its code could be read.
      C(line) is the line that O(log) was found in.
    - When waiting fails, a dictionary instead, by name, with C(status), C(exit_code) and C(last_lines).
  returned: always
  type: list
  elements: dict
  sample:
    - name: import-1
      status: exited
      exit_code: 0
      line: null
elapsed:
  description: Seconds that were waited.
  returned: success
  type: float
  sample: 1.284
"""

import typing as t

from ..module_utils.module.argspec import ArgumentSpec
from ..module_utils.module.entry import run_module
from ..module_utils.module.wait_results import wait_result
from ..module_utils.runtime.engine import Engine

SPEC = ArgumentSpec(
    {
        "name": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["running", "healthy", "exited", "removed"]},
        "log": {"type": "str"},
        "exit_code": {"type": "list", "elements": "int"},
        "timeout": {"type": "float", "default": 300.0},
    },
    mutually_exclusive=[("state", "log")],
    required_one_of=[("state", "log")],
)


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return {"changed": False, **wait_result(engine, params)}


def main() -> None:
    run_module(SPEC, run, reads=True)


if __name__ == "__main__":
    main()
