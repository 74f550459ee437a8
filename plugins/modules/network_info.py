#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network_info
short_description: Look at networks of containers
version_added: 0.2.0
author:
  - The Coracle authors (@coracle)
description:
  - Returns one, several or all networks of the target in the shape of C(docker network inspect), with the
    containers that are on them.
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.info_module
  - coracle.engine._attributes.action_group
options:
  name:
    description:
      - Names or full IDs of networks. A single one may be given as a string.
      - When not given, all networks are returned, by name.
    type: list
    elements: str
    aliases:
      - network_name
seealso:
  - module: coracle.engine.network
"""

EXAMPLES = r"""
- name: All networks
  coracle.engine.network_info:
  register: all

- name: Their subnets
  ansible.builtin.debug:
    msg: "{{ all.networks | map(attribute='IPAM.Config') | flatten | map(attribute='Subnet') }}"

- name: Who is on the network?
  coracle.engine.network_info:
    name: backend
  register: backend

- name: Show it
  ansible.builtin.debug:
    msg: "{{ item.Name }} has {{ item.IPv4Address }}"
  loop: "{{ backend.network.Containers.values() }}"
  when: backend.exists
"""

RETURN = r"""
exists:
  description: Whether all networks that were named exist.
  returned: success
  type: bool
  sample: true
networks:
  description: The networks that were found, in the order of O(name), each once.
  returned: success
  type: list
  elements: dict
  sample:
    - Name: backend
      Id: 1f6f5c1d7d0b4d2a8a8f6f0e8d2b4c1a7e5d3c9b2a1f0e9d8c7b6a5f4e3d2c1b
      Driver: bridge
      IPAM:
        Driver: default
        Options: {}
        Config:
          - Subnet: 10.80.0.0/24
            Gateway: 10.80.0.1
      Internal: false
      Containers: {}
      Options: {}
      Labels: {}
network:
  description: The network, if exactly one was named and it exists, else null.
  returned: success
  type: dict
  sample: null
missing:
  description: The names in O(name) that no network has.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ..module_utils.module.argspec import ArgumentSpec
from ..module_utils.module.entry import run_module
from ..module_utils.module.network_results import info_result
from ..module_utils.runtime.engine import Engine

SPEC = ArgumentSpec({"name": {"type": "list", "elements": "str", "aliases": ["network_name"]}})


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return {"changed": False, **info_result(engine, params["name"])}


def main() -> None:
    run_module(SPEC, run, reads=True)


if __name__ == "__main__":
    main()
