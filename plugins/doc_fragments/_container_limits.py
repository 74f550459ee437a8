# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The options of a container that say what it may use up.
    DOCUMENTATION = r"""
options:
  memory:
    description:
      - Memory limit, at least V(6m), V(0) for none.
    type: str
  memory_swap:
    description:
      - Limit for memory and swap together. V(unlimited) or V(-1) allows any amount of swap.
      - The default is twice O(memory).
    type: str
  memory_reservation:
    description:
      - Memory that the kernel leaves to the container when the host is short of it.
    type: str
  cpus:
    description:
      - Processors the container may use at most, for example V(1.5). V(0) means no limit.
    type: float
  cpu_period:
    description:
      - Length of a period of the processor scheduler in microseconds, V(1000) to V(1000000). V(0) means the
        default, V(100000).
    type: int
  cpu_quota:
    description:
      - Microseconds of processor time per period, at least V(1000). V(0) and V(-1) mean no limit.
    type: int
  cpu_shares:
    description:
      - Weight against other containers when processors are short, V(2) to V(262144). V(0) means everyone's
        default, V(1024).
    type: int
  cpuset_cpus:
    description:
      - Processors the container may run on, for example V(0-3,6).
    type: str
  cpuset_mems:
    description:
      - Memory nodes (NUMA) the container may use, for example V(0).
    type: str
  pids_limit:
    description:
      - Limit for processes and threads in the container. V(-1) and V(0) mean no limit.
      - The default is V(2048).
    type: int
  memory_swappiness:
    description:
      - How readily the kernel swaps memory of the container, V(0) to V(100). V(-1) means as on the host.
      - Only with control groups v1; v2 knows no such setting.
    type: int
  oom_killer:
    description:
      - As in Docker, V(true) switches the kernel's out-of-memory killer off for the container, whose programs
        then wait for memory.
      - Only with control groups v1; v2 knows no such setting.
    type: bool
  blkio_weight:
    description:
      - Weight against other containers when disks are busy, V(10) to V(1000). V(0) means the default.
    type: int
  device_read_bps:
    description:
      - How many bytes per second may be read from disks.
    type: list
    elements: dict
    suboptions:
      path:
        description: The disk, for example V(/dev/sda).
        type: str
        required: true
      rate:
        description: Bytes per second, for example V(10m).
        type: str
        required: true
  device_write_bps:
    description:
      - How many bytes per second may be written to disks.
    type: list
    elements: dict
    suboptions:
      path:
        description: The disk, for example V(/dev/sda).
        type: str
        required: true
      rate:
        description: Bytes per second, for example V(10m).
        type: str
        required: true
  device_read_iops:
    description:
      - How many reads per second disks may be asked for.
    type: list
    elements: dict
    suboptions:
      path:
        description: The disk, for example V(/dev/sda).
        type: str
        required: true
      rate:
        description: Operations per second.
        type: str
        required: true
  device_write_iops:
    description:
      - How many writes per second disks may be asked for.
    type: list
    elements: dict
    suboptions:
      path:
        description: The disk, for example V(/dev/sda).
        type: str
        required: true
      rate:
        description: Operations per second.
        type: str
        required: true
  ulimits:
    description:
      - Resource limits of the processes, as C(name:soft[:hard]) or C(name=soft[:hard]), for example
        V(nofile:1024:4096). V(-1) or V(unlimited) is no limit.
    type: list
    elements: str
  oom_score_adj:
    description:
      - How likely the kernel ends the container when the host is out of memory, from V(-1000) (never) to
        V(1000).
    type: int
"""
