#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_prune
short_description: Remove what nobody needs
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Removes containers that do not run, images, networks and volumes that no container needs, and logs.
  - Without any option nothing is removed. Each kind has to be asked for, or O(everything).
  - In check mode it tells what would go and how many bytes that gives back, and removes nothing.
  - What is needed stays - what containers use, also those that are stopped, unless they are removed by the
    same task; what another task is pulling, creating, replacing or about to start; and what a project
    declares.
  - Options, filters and results have the names of M(community.docker.docker_prune).
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  containers:
    description:
      - Remove containers that are created or exited, with what they have written and their logs.
      - A container whose network another one shares (O(coracle.engine.container#module:network_mode)) stays
        with it.
      - Their anonymous volumes are a matter of O(volumes).
    type: bool
    default: false
  containers_filters:
    description:
      - Which containers. A dictionary; every value can be a list.
      - C(label) and C(label!) - a key, or C(key=value). Of several, a container must have all, and may not
        have any.
      - C(until) - made before this. A duration such as V(24h), a time such as V(2026-11-24T13:00:00Z), or
        seconds since 1970.
    type: dict
  images:
    description:
      - Remove images without a name that no container uses, and what interrupted pulls have left.
      - An image that was pulled by its digest has a name.
    type: bool
    default: false
  images_filters:
    description:
      - Which images. C(label), C(label!) and C(until) as in O(containers_filters); the time is that at which
        the image was built.
      - C(dangling) - V(false) removes images with a name as well, if no container uses them.
    type: dict
  keep_last:
    description:
      - In each repository the newest images stay, as many as this. Images that are used count, and stay in
        any case.
      - With it, images with a name are removed, too, unless O(images_filters) says C(dangling=true).
    type: int
  networks:
    description:
      - Remove networks that no container is on. The default network always stays.
    type: bool
    default: false
  networks_filters:
    description:
      - Which networks. C(label), C(label!) and C(until) as in O(containers_filters).
    type: dict
  volumes:
    description:
      - Remove anonymous volumes, with their data, that no container uses.
    type: bool
    default: false
  volumes_filters:
    description:
      - Which volumes. C(label), C(label!) and C(until) as in O(containers_filters).
      - C(all) - V(true) removes volumes with a name as well.
    type: dict
  logs:
    description:
      - Remove the parts of logs that were put aside because they were full (10 MiB each, two at most), of
        containers that do not run.
    type: bool
    default: false
  logs_filters:
    description:
      - Which logs. C(label) and C(label!) of their containers as in O(containers_filters).
      - C(until) - parts that were written to after this stay.
    type: dict
  truncate_logs:
    description:
      - Remove all that logs hold, but for the part that running containers are writing to.
    type: bool
    default: false
  builder_cache:
    description:
      - The engine does not build images, so there is no cache, and nothing to remove.
    type: bool
    default: false
  builder_cache_all:
    description: For tasks that were written for M(community.docker.docker_prune). Has no effect.
    type: bool
    default: false
  builder_cache_filters:
    description: For tasks that were written for M(community.docker.docker_prune). Has no effect.
    type: dict
  builder_cache_keep_storage:
    description: For tasks that were written for M(community.docker.docker_prune). Has no effect.
    type: str
  everything:
    description:
      - All kinds, each as if it was asked for, with the filters that are given.
    type: bool
    default: false
  keep:
    description:
      - Names of what stays whatever else is said. Shell patterns, in which V(*) fits everything, also C(/).
      - Images go by every name that leads to them, as people write it or in full, with the tag or without.
    type: list
    elements: str
    default: []
  projects:
    description:
      - Remove containers, networks and volumes with the label C(coracle.project), too. This label is
        reserved for projects, which remove themselves what they do not need any more.
    type: bool
    default: false
seealso:
  - module: coracle.engine.container
  - module: coracle.engine.image
  - module: coracle.engine.network
  - module: coracle.engine.volume
"""

EXAMPLES = r"""
- name: Containers that ended more than a day ago, and what they were the last to need
  coracle.engine.container_prune:
    containers: true
    containers_filters:
      until: 24h
    images: true
    networks: true
    volumes: true

- name: The three newest images of each repository stay, and all of nginx
  coracle.engine.container_prune:
    images: true
    keep_last: 3
    keep:
      - nginx

- name: Everything that no container uses, volumes with a name included
  coracle.engine.container_prune:
    everything: true
    images_filters:
      dangling: false
    volumes_filters:
      all: true
      label!: backup
  register: pruned

- name: Say how much that was
  ansible.builtin.debug:
    msg: "{{ pruned.space_reclaimed | human_readable }}"

- name: Logs of a week ago
  coracle.engine.container_prune:
    logs: true
    logs_filters:
      until: 168h
"""

RETURN = r"""
containers:
  description: IDs of the containers that were or, in check mode, would be removed.
  returned: O(containers=true) or O(everything=true)
  type: list
  elements: str
  sample: ["b5b2b4b5c8d0e2a3b6a1d7f1e6c9d5c1f4ad1f7a4a3c6c1e0d1b2a3f4c5d6e7f"]
containers_space_reclaimed:
  description: Bytes that they had written, with their logs.
  returned: O(containers=true) or O(everything=true)
  type: int
  sample: 20480
images:
  description: What was removed, as Docker says it.
  returned: O(images=true) or O(everything=true)
  type: list
  elements: dict
  contains:
    Untagged:
      description: A name that is gone.
      type: str
    Deleted:
      description: ID of an image that is gone.
      type: str
  sample:
    - Untagged: team/app:2.2
    - Deleted: sha256:9c7a54a9a43cca047013b82af109fe963fde787f63f9e016fdc3384500c2823d
images_space_reclaimed:
  description: Bytes of layers and blobs that no other image has. What is shared is counted once, with the
    last image that goes.
  returned: O(images=true) or O(everything=true)
  type: int
  sample: 192004242
networks:
  description: Names of the networks that were removed.
  returned: O(networks=true) or O(everything=true)
  type: list
  elements: str
  sample: [backend]
volumes:
  description: Names of the volumes that were removed.
  returned: O(volumes=true) or O(everything=true)
  type: list
  elements: str
  sample: ["0d5f3d3c3f9d4f0f8f0a3d9f6c1b2a4e5d6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b"]
volumes_space_reclaimed:
  description: Bytes that were in them.
  returned: O(volumes=true) or O(everything=true)
  type: int
  sample: 8192
logs:
  description: Names of the containers whose logs are shorter now.
  returned: O(logs=true) or O(everything=true)
  type: list
  elements: str
  sample: [worker]
logs_space_reclaimed:
  description: Bytes of logs that were removed.
  returned: O(logs=true) or O(everything=true)
  type: int
  sample: 20971520
builder_cache_caches_deleted:
  description: Always empty.
  returned: O(builder_cache=true) or O(everything=true)
  type: list
  elements: str
  sample: []
builder_cache_space_reclaimed:
  description: Always 0.
  returned: O(builder_cache=true) or O(everything=true)
  type: int
  sample: 0
space_reclaimed:
  description: All bytes together.
  returned: success
  type: int
  sample: 192032914
actions:
  description: What was done or, in check mode, would be done, and why.
  returned: success
  type: list
  elements: str
  sample:
    - "remove container old: it is exited"
    - "remove image team/app:2.2: no container uses it"
    - "remove layers and blobs that no image needs: 192004242 bytes"
differences:
  description: What was there and is not any more.
  returned: success
  type: list
  elements: dict
  contains:
    field:
      description: What goes, such as V(container old).
      type: str
    before:
      description: How large it was, or which one.
      type: raw
    after:
      description: Nothing.
      type: raw
    reason:
      description: The same as a sentence.
      type: str
    how:
      description: V(remove), V(live) for a log that becomes shorter.
      type: str
"""

import typing as t

from ..module_utils.module.entry import run_module
from ..module_utils.module.prune_options import PRUNE, read_prune_request
from ..module_utils.module.prune_results import prune_result
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.reconcile.prune import plan_prune


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    planned = plan_prune(engine, read_prune_request(params))
    pruned = planned.predict() if check_mode else planned.execute(engine)
    return prune_result(pruned, params)


def main() -> None:
    run_module(PRUNE, run)


if __name__ == "__main__":
    main()
