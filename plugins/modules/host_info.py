#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Look at a host as the engine sees it
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Returns versions of the engine and of what it drives, facts about the kernel, control groups and storage,
    how many containers, images, volumes and networks there are, and everything that would stand in the way
    of containers on this host.
  - Looking waits for no other task and changes nothing, also on a target where nothing was ever run.
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
  - coracle.engine._attributes.info_module
options:
  disk_usage:
    description:
      - Also return how much disk images, containers, volumes and logs take. Files are counted for it, which
        takes its time.
    type: bool
    default: false
seealso:
  - module: coracle.engine.container_info
  - module: coracle.engine.image_info
"""

EXAMPLES = r"""
- name: Is this host fit for containers?
  coracle.engine.host_info:
  register: host
  failed_when: not host.ready

- name: What is missing, and what helps
  ansible.builtin.debug:
    msg: "{{ host.problems | map(attribute='message') }}"

- name: How full is it?
  coracle.engine.host_info:
    disk_usage: true
  register: host

- name: What pruning images would give back
  ansible.builtin.debug:
    msg: "{{ host.disk_usage.images.reclaimable | human_readable }}"
"""

RETURN = r"""
ready:
  description: Whether containers can be started, as far as one can tell without starting one.
  returned: success
  type: bool
  sample: true
problems:
  description:
    - What is in the way. C(needed_for) says what cannot be done because of it, C(everything) if that is any
      container at all; C(hint) says what helps.
  returned: success
  type: list
  elements: dict
  sample:
    - needed_for: names on networks
      message: "aardvark-dns is not installed: names of containers are in hosts files only"
      hint: the role coracle.engine.host installs what is needed
engine:
  description: The version of this collection, and where its state is.
  returned: success
  type: dict
  sample:
    version: 0.1.0
    root: /var/lib/coracle
    run_root: /run/coracle
components:
  description: The programs and libraries that the engine drives; null for one that is not there.
  returned: success
  type: dict
  sample:
    crun: {path: /usr/bin/crun, version: 1.8.1}
    conmon: {path: /usr/bin/conmon, version: 2.1.6}
    nft: {path: /usr/sbin/nft, version: 1.0.6}
    aardvark-dns: null
    init: {path: /usr/bin/catatonit, version: 0.1.7}
    zstd: {path: /usr/bin/zstd, version: 1.5.4}
    pyroute2: {path: /usr/lib/python3/dist-packages/pyroute2, version: 0.7.2}
python:
  description: The Python that runs the engine.
  returned: success
  type: dict
  sample: {version: 3.11.2, sqlite: 3.40.1}
kernel:
  description: The kernel.
  returned: success
  type: dict
  sample: {version: 6.1.0-44-amd64, machine: x86_64}
host:
  description: The host. C(memory) is in bytes.
  returned: success
  type: dict
  sample:
    name: web1
    operating_system: Debian GNU/Linux 12 (bookworm)
    processors: 4
    memory: 8327655424
cgroups:
  description: The control groups; C(mode) is V(v1), V(hybrid) or V(v2), or null where there are none.
  returned: success
  type: dict
  sample:
    mode: v2
    controllers: [cpu, cpuset, hugetlb, io, memory, misc, pids, rdma]
storage:
  description: The file system that C(root) is on, in bytes.
  returned: success
  type: dict
  sample:
    driver: overlay
    file_system: ext4
    size: 42002862080
    free: 30120919040
counts:
  description: How many of each there are; containers also by what they are doing.
  returned: success
  type: dict
  sample:
    containers:
      total: 12
      created: 0
      running: 11
      paused: 0
      restarting: 0
      exited: 1
      removing: 0
      dead: 0
    images: 7
    volumes: 3
    networks: 2
disk_usage:
  description:
    - Per kind, how many there are (C(total)), how many are in use (C(active)), and the bytes that they take
      (C(size)) and that pruning would give back (C(reclaimable)). Null unless O(disk_usage) is set.
  returned: success
  type: dict
  sample:
    images: {total: 7, active: 4, size: 1207331840, reclaimable: 402653184}
"""

import typing as t

from ..module_utils.module.argspec import ArgumentSpec
from ..module_utils.module.entry import run_module
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.operations.describe_host import describe_host


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return {"changed": False, **describe_host(engine, disk_usage=params["disk_usage"])}


def main() -> None:
    run_module(ArgumentSpec({"disk_usage": {"type": "bool", "default": False}}), run, reads=True)


if __name__ == "__main__":
    main()
