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
  - Returns one, several or all containers of the target in the shape of C(docker inspect), and on request
    what they use, which processes run in them, what they have changed in their image, how large they are and
    what they said last.
  - The state comes from the kernel and from what was written down when a container ended. It is never
    guessed. Nothing is run in a container to find something out.
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
  filters:
    description:
      - Return only containers that agree with every filter given here. Of several values of one filter any is
        enough, of O(filters.label) all are needed.
    type: dict
    suboptions:
      name:
        description:
          - Shell patterns such as V(web-*), of which one fits the whole name.
        type: list
        elements: str
      label:
        description:
          - Labels, as V(key) or V(key=value).
        type: list
        elements: str
      status:
        description:
          - What the container is doing.
        type: list
        elements: str
        choices: [created, running, paused, restarting, removing, exited, dead]
      image:
        description:
          - Names or full IDs of images. Containers of an image that was made from one of these count, too.
        type: list
        elements: str
        aliases: [ancestor]
      network:
        description:
          - Names or full IDs of networks that the container is on.
        type: list
        elements: str
      volume:
        description:
          - Names of volumes that the container has, or paths in the container where something is mounted.
        type: list
        elements: str
      project:
        description:
          - The project that declares the container, which is its label C(coracle.project).
        type: str
      health:
        description:
          - What the health check of the container says; V(none) is for containers without one.
        type: list
        elements: str
        choices: [starting, healthy, unhealthy, none]
      exit_code:
        description:
          - Exit codes of containers that have ended.
        type: list
        elements: int
        aliases: [exited]
      before:
        description:
          - Name or full ID of a container. Only those that were created before it.
        type: str
      since:
        description:
          - Name or full ID of a container. Only those that were created after it.
        type: str
  keys:
    description:
      - Return only these keys of the documents, such as V(State), besides C(Id), C(Name) and what other
        options add. What Ansible has to read costs more than looking, when there are hundreds of containers.
    type: list
    elements: str
  size:
    description:
      - Add C(SizeRw), the bytes that the container has written to its root file system, and C(SizeRootFs),
        the same together with its image. All files of the container are counted for it.
    type: bool
    default: false
  stats:
    description:
      - Add C(Stats), what the container uses; null for one that does not run. See RV(containers).
    type: bool
    default: false
  stats_interval:
    description:
      - Seconds over which C(Stats.CPU) is the average. All containers are measured in the same interval.
      - With V(0) there is no waiting, and it is the average since the container was started.
    type: float
    default: 0.0
  processes:
    description:
      - Add C(Processes) in the shape of C(docker top), with process IDs and user names of the target; null
        for a container that does not run.
    type: bool
    default: false
  processes_columns:
    description:
      - Which columns C(Processes) has; implies O(processes).
      - Names of columns of C(ps), such as V(pid) or V(user=OWNER), or options of C(ps), such as V(aux).
        C(nspid) is the process ID in the container.
      - Without it, the columns are those of C(ps -ef).
    type: list
    elements: str
  changes:
    description:
      - Add C(Changes), what the container has added (V(A)), changed (V(C)) and deleted (V(D)) in the file
        system of its image, as C(docker diff) tells it. Places where something is mounted are left out.
    type: bool
    default: false
  logs:
    description:
      - Add C(Logs), that many of the last lines of its log. At most 1 MiB of each container is returned.
    type: int
seealso:
  - module: coracle.engine.container
  - module: coracle.engine.container_logs
  - module: coracle.engine.container_wait
  - module: coracle.engine.host_info
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

- name: Those of the shop that ended with an error, and what they said last
  coracle.engine.container_info:
    filters:
      label: app=shop
      status: exited
      exit_code: [1, 2, 137]
    logs: 20
  register: failed

- name: What everything that runs uses, averaged over two seconds
  coracle.engine.container_info:
    filters:
      status: running
    stats: true
    stats_interval: 2
  register: running

- name: The hungriest first
  ansible.builtin.debug:
    msg: "{{ running.containers | sort(attribute='Stats.MemUsage', reverse=true) | map(attribute='Name') }}"

- name: The state of hundreds of containers, and nothing else
  coracle.engine.container_info:
    keys: [State]
  register: states

- name: What runs in a container, and what it has written
  coracle.engine.container_info:
    name: web
    processes_columns: [pid, user, rss, args]
    changes: true
    size: true
"""

RETURN = r"""
exists:
  description: Whether all containers that were named exist.
  returned: success
  type: bool
  sample: true
containers:
  description:
    - The containers that were found and agree with O(filters), in the shape of C(docker inspect), in the
      order of O(name).
    - With O(stats) they have C(Stats). C(CPU) is in percent of one processor, averaged over C(Interval)
      seconds; C(CPUNano) is the processor time used so far. C(MemUsage) is in bytes, without the part of the
      page cache that was not used lately, as Docker counts it; C(MemLimit) is the memory of the target where
      there is no limit. C(NetInput), C(NetOutput), C(BlockInput) and C(BlockOutput) are the bytes since the
      start, C(PIDs) the number of processes and threads.
    - A previous version that is kept for a rollback has C(KeptSince), when another one took its place.
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
      Stats:
        CPU: 3.17
        CPUNano: 1204000000
        MemUsage: 7413760
        MemLimit: 268435456
        MemPerc: 2.76
        NetInput: 90211
        NetOutput: 1203344
        BlockInput: 4096
        BlockOutput: 0
        PIDs: 3
        Interval: 2.001
      Processes:
        Titles: [PID, USER, RSS, COMMAND]
        Processes:
          - ["4711", root, "5124", "nginx: master process nginx"]
      Changes:
        - Kind: C
          Path: /run
        - Kind: A
          Path: /run/nginx.pid
      SizeRw: 5
      SizeRootFs: 187204608
      Logs:
        - "2026/11/24 12:00:00 [notice] 1#1: start worker processes"
container:
  description: The container, if exactly one was named and it was found, else null.
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

from ..module_utils.module.entry import run_module
from ..module_utils.module.look_options import LOOK
from ..module_utils.module.look_results import look_result
from ..module_utils.runtime.engine import Engine


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return look_result(engine, params)


def main() -> None:
    run_module(LOOK, run, reads=True)


if __name__ == "__main__":
    main()
