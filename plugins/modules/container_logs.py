#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_logs
short_description: Read what a container has written
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Returns lines of the log of a container, whether it runs or not, those of its earlier runs included.
  - A line is whole, whatever its length, and the parts of the log that were put aside because they were full
    are read as one.
  - Reading begins at the end and stops when it has what was asked for. It waits for no other task and changes
    nothing.
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
  - coracle.engine._attributes.info_module
options:
  name:
    description:
      - Name or full ID of the container.
    type: str
    required: true
  tail:
    description:
      - At most so many lines, the last ones of those that the other options choose.
    type: int
  since:
    description:
      - Only lines from this time on. A time such as V(2026-11-24T13:00:00Z), seconds since 1970, or a
        duration before now such as V(10m) or V(1h30m).
    type: str
  until:
    description:
      - Only lines up to this time, written as for O(since).
    type: str
  stream:
    description:
      - Only what was written to this one. A container with a terminal has only V(stdout).
    type: str
    choices: [stdout, stderr]
  grep:
    description:
      - Only lines in which this regular expression of Python is found. Begin it with V((?i\)) to ignore case.
    type: str
  timestamps:
    description:
      - Begin every line in RV(lines) and RV(text) with its time.
    type: bool
    default: false
  format:
    description:
      - What to return.
    type: list
    elements: str
    choices: [lines, text, entries]
    default: [lines]
  max_size:
    description:
      - Return at most this much text, the newest; RV(truncated) tells whether there was more.
    type: str
    default: 1m
seealso:
  - module: coracle.engine.container_info
  - module: coracle.engine.container_wait
"""

EXAMPLES = r"""
- name: The last 50 lines
  coracle.engine.container_logs:
    name: web
    tail: 50
  register: log

- name: Show them
  ansible.builtin.debug:
    var: log.lines

- name: Errors of the last ten minutes, with their times
  coracle.engine.container_logs:
    name: shop
    since: 10m
    stream: stderr
    grep: (?i)error|fatal
    timestamps: true
  register: errors
  failed_when: errors.lines | length > 0

- name: Keep what a job has written on the controller
  coracle.engine.container_logs:
    name: import
    format: text
    max_size: 16m
  register: import_log

- name: Write it down
  ansible.builtin.copy:
    content: "{{ import_log.text }}"
    dest: logs/import.log
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
lines:
  description: The lines, the oldest first. Bytes that are not UTF-8 are replaced by U+FFFD.
  returned: if O(format) has V(lines)
  type: list
  elements: str
  sample:
    - "2026/11/24 12:00:00 [notice] 1#1: start worker processes"
text:
  description: The same as one text, with a line feed after every line.
  returned: if O(format) has V(text)
  type: str
  sample: |
    2026/11/24 12:00:00 [notice] 1#1: start worker processes
entries:
  description: The same with the time and the stream of every line.
  returned: if O(format) has V(entries)
  type: list
  elements: dict
  sample:
    - time: "2026-11-24T12:00:00.123456789Z"
      stream: stderr
      line: "2026/11/24 12:00:00 [notice] 1#1: start worker processes"
truncated:
  description: Whether older lines were left out because of O(max_size).
  returned: success
  type: bool
  sample: false
"""

import typing as t

from ..module_utils.module.argspec import ArgumentSpec
from ..module_utils.module.entry import run_module
from ..module_utils.module.log_results import logs_result
from ..module_utils.runtime.engine import Engine

SPEC = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "tail": {"type": "int"},
        "since": {"type": "str"},
        "until": {"type": "str"},
        "stream": {"type": "str", "choices": ["stdout", "stderr"]},
        "grep": {"type": "str"},
        "timestamps": {"type": "bool", "default": False},
        "format": {
            "type": "list",
            "elements": "str",
            "choices": ["lines", "text", "entries"],
            "default": ["lines"],
        },
        "max_size": {"type": "str", "default": "1m"},
    }
)


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return {"changed": False, **logs_result(engine, params)}


def main() -> None:
    run_module(SPEC, run, reads=True)


if __name__ == "__main__":
    main()
