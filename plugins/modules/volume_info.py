#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_info
short_description: What volumes are on the target
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Returns one, several or all volumes of the target in the shape of C(docker volume inspect), with the
    containers that use them.
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.info_module
  - coracle.engine._attributes.action_group
options:
  name:
    description:
      - Names of volumes. A single one may be given as a string.
      - When not given, all volumes are returned, by name, those without a name of their own among them.
    type: list
    elements: str
    aliases:
      - volume_name
seealso:
  - module: coracle.engine.volume
"""

EXAMPLES = r"""
- name: All volumes
  coracle.engine.volume_info:
  register: all

- name: Those that no container uses
  ansible.builtin.debug:
    msg: "{{ all.volumes | rejectattr('UsedBy') | map(attribute='Name') }}"

- name: Where are the data, and who uses them?
  coracle.engine.volume_info:
    name: data
  register: data

- name: Show it
  ansible.builtin.debug:
    msg: "{{ data.volume.Mountpoint }} is used by {{ data.volume.UsedBy | join(', ') }}"
  when: data.exists
"""

RETURN = r"""
exists:
  description: Whether all volumes that were named exist.
  returned: success
  type: bool
  sample: true
volumes:
  description: The volumes that were found, in the order of O(name), each once.
  returned: success
  type: list
  elements: dict
  sample:
    - Name: data
      Driver: local
      Scope: local
      Mountpoint: /var/lib/coracle/volumes/data/_data
      CreatedAt: "2026-11-24T04:21:07.123456789Z"
      Labels: {}
      Options: {}
      Anonymous: false
      UsedBy:
        - web
volume:
  description: The volume, if exactly one was named and it exists, else null.
  returned: success
  type: dict
  sample: null
missing:
  description: The names in O(name) that no volume has.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ..module_utils.module.argspec import ArgumentSpec
from ..module_utils.module.entry import run_module
from ..module_utils.module.volume_results import info_result
from ..module_utils.runtime.engine import Engine

SPEC = ArgumentSpec({"name": {"type": "list", "elements": "str", "aliases": ["volume_name"]}})


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return {"changed": False, **info_result(engine, params["name"])}


def main() -> None:
    run_module(SPEC, run, reads=True)


if __name__ == "__main__":
    main()
