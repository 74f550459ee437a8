#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: volume
short_description: Create, change and remove volumes
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Makes sure that a named volume is on the target, with its labels and driver options, or that it is not.
  - The task is the full declaration. Labels that it does not name are removed. Labels change in place.
  - Data are lost only where that was asked for, by O(state=absent) or O(recreate), and never while a
    container needs them. A stopped container needs its volumes, too.
  - A volume need not be created before it is used. Containers create the volumes that they name.
  - Options have the names and the syntax of M(community.docker.docker_volume).
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
    support: partial
    details:
      - With O(recreate=always) every run makes the volume anew.
options:
  name:
    description:
      - Name of the volume.
    type: str
    required: true
    aliases:
      - volume_name
  state:
    description:
      - V(present) - the volume exists.
      - V(absent) - it does not exist, and neither do its data. Fails, with their names, while there are
        containers that use it. Only O(name) counts.
    type: str
    default: present
    choices:
      - absent
      - present
  driver:
    description:
      - There is one driver.
    type: str
    default: local
    choices:
      - local
  driver_options:
    description:
      - What is mounted on the volume, as with the driver V(local) of Docker. Without options the volume is a
        directory on the target.
      - C(type) is the file system, for example V(tmpfs), V(nfs), V(cifs) or V(ext4), or V(none) for a
        directory of the target.
      - C(device) is what is mounted, for example V(:/export), V(//server/share), V(/dev/sdb1), or the path of
        the directory.
      - C(o) are mount options, separated by commas. V(bind) mounts a directory. C(addr) tells the kernel
        where an NFS or CIFS server is.
      - The file system is mounted when the first container starts with the volume, and unmounted when the
        last one has ended. What is wrong with it shows then.
      - Passwords in C(o) are not shown in RV(volume), RV(actions), RV(differences) and in the diff. They are
        stored in a file that only root can read.
    type: dict
    default: {}
  labels:
    description:
      - Labels of the volume.
    type: dict
    default: {}
  recreate:
    description:
      - Whether a volume that exists may be removed, with its data, and created anew.
      - V(never) - it stays, and other O(driver_options) are only a warning.
      - V(options-changed) - when O(driver_options) are other ones.
      - V(always) - in every run.
      - Data that lie elsewhere (NFS, a directory of the target) are not touched. Fails, with their names,
        while there are containers that use the volume.
    type: str
    default: never
    choices:
      - always
      - never
      - options-changed
seealso:
  - module: coracle.engine.volume_info
  - module: coracle.engine.container
"""

EXAMPLES = r"""
- name: A volume
  coracle.engine.volume:
    name: data
    labels:
      backup: daily

- name: A volume on an NFS server
  coracle.engine.volume:
    name: media
    driver_options:
      type: nfs
      device: ":/export/media"
      o: addr=nas.example.com,vers=4,ro

- name: A volume in memory
  coracle.engine.volume:
    name: scratch
    driver_options:
      type: tmpfs
      o: size=64m,mode=1777

- name: A directory of the target as a volume
  coracle.engine.volume:
    name: www
    driver_options:
      type: none
      device: /srv/www
      o: bind

- name: Remove it, with its data
  coracle.engine.volume:
    name: data
    state: absent
"""

RETURN = r"""
volume:
  description:
    - The volume in the shape of C(docker volume inspect), with C(UsedBy), the names of the containers that
      need it, and C(Anonymous). In check mode, as it would be.
  returned: success, unless O(state=absent)
  type: dict
  sample:
    Name: data
    Driver: local
    Scope: local
    Mountpoint: /var/lib/coracle/volumes/data/_data
    CreatedAt: "2026-11-24T04:21:07.123456789Z"
    Labels:
      backup: daily
    Options: {}
    Anonymous: false
    UsedBy:
      - web
actions:
  description: What was done or, in check mode, would be done, and why.
  returned: success
  type: list
  elements: str
  sample:
    - "update volume data: labels: backup is weekly, should be daily"
differences:
  description: What made a change necessary.
  returned: success
  type: list
  elements: dict
  contains:
    field:
      description: V(exists), V(labels) or V(driver_options).
      type: str
    before:
      description: What there was.
      type: raw
    after:
      description: What there is to be.
      type: raw
    reason:
      description: The same as a sentence.
      type: str
    how:
      description:
        - V(live) for a change in place, V(recreate) for a new volume in place of the old one.
        - V(create) and V(remove) where there was none, or is none any more (field V(exists)).
      type: str
"""

import typing as t

from ..module_utils.module.entry import run_module
from ..module_utils.module.volume_options import VOLUME, read_volume_request
from ..module_utils.module.volume_results import volume_result
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.reconcile.volume import plan_volume


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    planned = plan_volume(engine, read_volume_request(params))
    if not check_mode:
        planned.plan.execute(engine)
    return volume_result(engine, planned, check_mode)


def main() -> None:
    run_module(VOLUME, run)


if __name__ == "__main__":
    main()
