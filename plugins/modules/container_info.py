#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_info
short_description: Look at containers
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Returns one, several or all containers of the target in the shape of C(docker inspect).
  - The state comes from the kernel and from what was written down when a container ended. It is never
    guessed.
  - Looking waits for no other task and changes nothing, also on a target where nothing was ever run.
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
  - coracle.engine._attributes.info_module
options:
  name:
    description:
      - Names or full IDs of containers. A single one may be given as a string.
      - When not given, all containers are returned, in the order in which they were created.
    type: list
    elements: str
seealso:
  - module: coracle.engine.container
"""

EXAMPLES = r"""
- name: One container
  coracle.engine.container_info:
    name: web
  register: web

- name: Is it there, and does it run?
  ansible.builtin.assert:
    that:
      - web.exists
      - web.container.State.Running

- name: All containers
  coracle.engine.container_info:
  register: all

- name: Those that do not run
  ansible.builtin.debug:
    msg: "{{ all.containers | rejectattr('State.Running') | map(attribute='Name') }}"
"""

RETURN = r"""
exists:
  description: Whether all containers that were named exist.
  returned: success
  type: bool
  sample: true
containers:
  description:
    - The containers that were found, in the shape of C(docker inspect), in the order of O(name).
  returned: success
  type: list
  elements: dict
  sample:
    - Id: 6e5a1c0f6f0b4f1c8a4d9c0e7b1f2a3d4c5b6a79880f1e2d3c4b5a6978808f9e
      Name: /web
      State:
        Status: running
        Running: true
        Pid: 4711
        ExitCode: 0
      RestartCount: 0
container:
  description: The container, if exactly one was named and it exists, else null.
  returned: success
  type: dict
  sample: null
missing:
  description: The names in O(name) that no container has.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ..module_utils.module.argspec import ArgumentSpec
from ..module_utils.module.entry import run_module
from ..module_utils.runtime.container.records import find_container, list_containers
from ..module_utils.runtime.container.status import observe
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.operations.inspect_container import inspect_container

SPEC = ArgumentSpec({"name": {"type": "list", "elements": "str"}})


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    names: list[str] | None = params["name"]
    if names is None:
        records, missing = list_containers(engine.records), []
    else:
        found = {name: find_container(engine.records, name) for name in names}
        records = [record for record in found.values() if record]
        missing = [name for name, record in found.items() if record is None]
    containers = [inspect_container(engine, record, observe(engine, record)) for record in records]
    return {
        "changed": False,
        "exists": not missing,
        "containers": containers,
        "container": containers[0] if names and len(names) == 1 and containers else None,
        "missing": missing,
    }


def main() -> None:
    run_module(SPEC, run, reads=True)


if __name__ == "__main__":
    main()
