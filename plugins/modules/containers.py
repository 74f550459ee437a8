#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: containers
short_description: Create, change and remove many containers of a host in one task
version_added: 0.2.0
author:
  - The Coracle authors (@coracle)
description:
  - Makes sure that containers, with the networks, volumes and images that they need, are on the target as
    they are declared. What M(coracle.engine.container) does for one container, this module does for all of
    a host, several at a time and each after what it depends on.
  - Everything is planned and checked before anything is changed. Then come networks, volumes, images (in
    parallel, each layer once) and containers.
  - A container that fails stops those that depend on it, and nobody else. The task fails then, with one
    entry for each container in RV(results).
extends_documentation_fragment:
  - coracle.engine._registry
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(state=restarted), or where a declaration has C(recreate) or C(restart), every run changes
        something.
options:
  containers:
    description:
      - The containers, each with C(name) and the options of M(coracle.engine.container), except C(detach),
        C(cleanup), C(new_name), C(rollback) and those about registries.
      - A declaration may have a C(state) and a C(pull) of its own. With O(state=absent) all go, whatever
        they say.
      - C(depends_on) names containers of the same task that have to come first, as a list, or as a
        dictionary with a C(condition) each. V(started) is the default; V(healthy) waits for the health check
        of the other one. The words of Compose files (V(service_started) and so on) mean the same.
      - With V(completed) the other one is a job that has to end with exit code 0. A job that has done so, and
        whose declaration has not changed, is not run again.
      - Who shares a network, processes, memory or volumes of another container comes after it without being
        told, and is restarted when that one is started anew.
    type: list
    elements: dict
    default: []
  defaults:
    description:
      - Options for all O(containers). A declaration replaces them, but its C(env) and C(labels) add to
        them.
    type: dict
    default: {}
  networks:
    description:
      - Networks, each with C(name) and the options of M(coracle.engine.network), except C(state),
        C(connected), C(appends) and C(force).
    type: list
    elements: dict
    default: []
  volumes:
    description:
      - Volumes, each with C(name) and the options of M(coracle.engine.volume), except C(state).
      - They are never removed by this module.
    type: list
    elements: dict
    default: []
  images:
    description:
      - Images that shall be there besides those of the containers.
    type: list
    elements: str
    default: []
  project:
    description:
      - A name for all of this. Containers, networks and volumes get it as their label C(coracle.project),
        and are owned by the project from then on.
    type: str
  purge:
    description:
      - Remove containers and networks that the O(project) owns and does not declare any more, after
        everything else went well, and never anything else. A container whose port of the host a declared
        one is going to have goes before.
    type: bool
    default: false
  state:
    description:
      - The state of the containers, as for M(coracle.engine.container).
      - V(restarted) is V(started), with those that run already restarted.
      - V(absent) removes the declared containers and networks, and all that the O(project) owns, those that
        others depend on last. Volumes stay.
    type: str
    choices:
      - absent
      - healthy
      - present
      - restarted
      - started
      - stopped
    default: started
  pull:
    description:
      - When images are pulled, as for M(coracle.engine.container).
    type: str
    choices:
      - always
      - missing
      - never
      - newer
    default: missing
  parallelism:
    description:
      - How many containers and images are worked on at once. V(0) means two more than the target has
        processors.
    type: int
    default: 0
  wait_timeout:
    description:
      - Seconds to wait for the condition of a C(depends_on).
    type: float
    default: 300
  compose_file:
    description:
      - A Compose file whose services, networks and volumes are declared, besides what the other options
        declare. The page C(docs/compose.md) says what each of its keys becomes. Keys that have no
        counterpart are refused, each by its place.
      - It is a file of the controller, found as the files of M(ansible.builtin.copy) are, and can be
        encrypted with Ansible Vault. So are C(.env) and the files of C(env_file), secrets and configs,
        which are looked for beside it.
      - Containers, networks and volumes have the names that Compose gives them, with the O(project), else the
        C(name) in the file, else the name of the file's directory.
    type: str
  compose:
    description:
      - What would be in a O(compose_file), as a dictionary or as the text of such a file. The files
        that it names are looked for beside the playbook.
    type: raw
  compose_directory:
    description:
      - Directory of the target to which the paths of volumes in a Compose file are relative. Nothing is
        copied there.
      - The default is the directory of the O(compose_file) with O(remote_src=true), and none otherwise.
    type: str
  compose_environment:
    description:
      - Values of the variables that a Compose file uses, as in C(${TAG:-latest}). They come before those of
        C(.env). The environment of the controller is not looked at.
    type: dict
    default: {}
  compose_profiles:
    description:
      - Profiles of the Compose file whose services are wanted, besides the services without a profile. V(*)
        means all.
    type: list
    elements: str
    default: []
  remote_src:
    description:
      - The O(compose_file) and the files beside it are files of the target. It has to be an absolute path.
    type: bool
    default: false
seealso:
  - module: coracle.engine.container
  - module: coracle.engine.container_info
"""

EXAMPLES = r"""
- name: A shop
  coracle.engine.containers:
    project: shop
    purge: true
    networks:
      - name: shop
    volumes:
      - name: shop-data
    defaults:
      restart_policy: unless-stopped
      networks:
        - name: shop
      env:
        TZ: UTC
    containers:
      - name: shop-db
        image: postgres:16
        env:
          POSTGRES_PASSWORD_FILE: /run/secrets/password
        volumes:
          - shop-data:/var/lib/postgresql/data
          - /etc/shop/password:/run/secrets/password:ro
      - name: shop-migrate
        image: registry.example.com/shop:2.4
        command: bin/migrate
        restart_policy: "no"
        depends_on:
          - shop-db
      - name: shop
        image: registry.example.com/shop:2.4
        published_ports:
          - "443:8443"
        memory: 512m
        depends_on:
          shop-migrate:
            condition: completed

- name: What a Compose file says
  coracle.engine.containers:
    compose_file: shop/compose.yml
    compose_environment:
      TAG: "2.4"
    compose_directory: /srv/shop
    purge: true

- name: Everything of the shop down, its data kept
  coracle.engine.containers:
    project: shop
    state: absent
"""

RETURN = r"""
results:
  description: One entry for each container, in the order of the task, and for those that are purged.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the container.
      type: str
    changed:
      description: Whether something was done, or would be done in check mode.
      type: bool
    actions:
      description: What was done, one sentence each, with the reason.
      type: list
      elements: str
    differences:
      description: What differed, as returned by M(coracle.engine.container).
      type: list
      elements: dict
    failed:
      description: Whether it is not as it should be.
      type: bool
    skipped:
      description: Whether nothing was tried, because of the failure of another container.
      type: bool
    msg:
      description: What went wrong.
      returned: if it failed
      type: str
  sample:
    - name: shop
      changed: true
      actions:
        - "update container shop: memory is 256m, should be 512m"
      differences:
        - field: memory
          before: 256m
          after: 512m
          reason: memory is 256m, should be 512m
          how: live
      failed: false
      skipped: false
actions:
  description: All that was done, for networks, volumes, images and containers.
  returned: always
  type: list
  elements: str
  sample:
    - create network shop
    - "pull image registry.example.com/shop:2.4: it is not here"
    - create container shop from registry.example.com/shop:2.4
    - start container shop
"""

import contextlib
import typing as t

from ..module_utils.module.entry import run_module
from ..module_utils.module.project_options import (
    PROJECT_OPTIONS,
    hidden_values,
    read_parallelism,
    read_project,
)
from ..module_utils.module.project_results import project_result
from ..module_utils.module.registry_options import REGISTRY
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.operations.lease import leased
from ..module_utils.runtime.reconcile.project import plan_project
from ..module_utils.runtime.reconcile.project_run import carry_out


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    project = read_project(params)
    images = [item.asked.image for item in project.items if item.asked.image]
    images += [reference.canonical for reference, _platform in project.images]
    names = [item.name for item in project.items]
    with contextlib.nullcontext() if check_mode else leased(engine, images=images, containers=names):
        plan = plan_project(engine, project, check_mode=check_mode)
        todo = plan.has_steps and not check_mode
        report = carry_out(engine, plan, read_parallelism(params), params["wait_timeout"]) if todo else None
    return project_result(plan, report)


def main() -> None:
    run_module(PROJECT_OPTIONS.merge(REGISTRY), run, hidden=hidden_values)


if __name__ == "__main__":
    main()
