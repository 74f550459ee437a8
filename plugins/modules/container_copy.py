#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_copy
short_description: Copy files to containers and volumes, and from them
version_added: 0.2.0
author:
  - The Coracle authors (@coracle)
description:
  - Copies files, directories and links to a container or out of it. The other end is the controller or, with
    O(remote_src), the target.
  - The container may run, be paused or be stopped. A path below one of its volumes, bind mounts or tmpfs
    leads to what is mounted there, as its program sees it.
  - Options have the names and meanings of M(ansible.builtin.copy), and the names of
    M(community.docker.docker_container_copy_into) as aliases.
  - A file is replaced in one step, and on disk when the task ends. Whoever reads it, and a power cut, finds
    the old or the new one. What was left by a task that was killed is removed by the next one that copies to
    the same directory.
  - Links in the container are followed inside of it only, whatever its programs change meanwhile.
  - From the controller only the files travel that are different, all of them as one.
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Texts up to 100 KiB, of at most fifty files.
  idempotent:
    support: full
options:
  container:
    description:
      - Exact name or full ID of the container. This or O(volume) is required.
    type: str
  volume:
    description:
      - Name of a volume, in place of a container. Paths are those in the volume.
    type: str
  direction:
    description:
      - V(in) - O(src) is outside, O(dest) in the container or volume.
      - V(out) - O(src) is in the container or volume, O(dest) outside.
    type: str
    default: in
    choices:
      - in
      - out
  src:
    description:
      - File or directory to copy.
      - If a directory ends with C(/), its content is copied, otherwise the directory itself with its content.
      - On the controller a relative path is searched as with M(ansible.builtin.copy), in C(files/) of the
        role or beside the playbook.
      - This or O(content) is required.
    type: str
    aliases:
      - path
  content:
    description:
      - Text that O(dest) shall have. A dictionary or list is written as JSON.
    type: raw
  content_is_b64:
    description:
      - O(content) is Base64, for what is no text.
    type: bool
    default: false
  dest:
    description:
      - Where to copy to.
      - If it is a directory, or ends with C(/), O(src) is put into it. A directory that ends with C(/) is
        made, and so are missing directories above, if O(src) is a directory or O(dest) ends with C(/).
      - On the controller it is a path, in which no name of a host is put. Name the host in it where several
        hosts copy the same.
    type: str
    required: true
    aliases:
      - container_path
  remote_src:
    description:
      - The end outside of the container is on the target and not on the controller.
    type: bool
    default: false
  owner:
    description:
      - Name or number of the user to own what is copied. A name is one of the container's C(/etc/passwd), or
        of the target's with O(direction=out) and O(remote_src=true). Volumes know only numbers.
      - What is not there yet belongs to V(root) if this is not given, and what is there keeps its owner.
      - Has no meaning on the controller.
    type: str
    aliases:
      - owner_id
  group:
    description:
      - The same for the group.
    type: str
    aliases:
      - group_id
  mode:
    description:
      - Permissions of files, as a number in quotes such as V('0644'), as a change such as V(u=rw,g=r,o=r), or
        V(preserve) for those of O(src).
      - Without it a new file gets V('0644'), and one that is there keeps its permissions.
    type: raw
  directory_mode:
    description:
      - Permissions of directories that are made. Without it V('0755').
    type: raw
  archive:
    description:
      - Keep everything - owner, permissions, time, hard links, pipes, and extended attributes as far as they
        say something about the file. Links stay links.
      - Numbers of users and groups are kept, not their names. O(owner), O(group) and O(mode) override.
    type: bool
    default: false
  force:
    description:
      - V(false) copies only what is not there at all.
    type: bool
    default: true
  replace_kind:
    description:
      - A directory may give way to a file or link, with all that is in it, and a file to a directory. Without
        it such a task fails.
    type: bool
    default: false
  backup:
    description:
      - Keep a file that is replaced beside the new one.
    type: bool
    default: false
  validate:
    description:
      - Command that has to succeed before a file gets its name, with V(%s) for its path. It is run in the
        container, as its user 0, without a shell. So the container has to run.
    type: str
  follow:
    description:
      - If O(dest) is a link, write to where it leads. Without it the link is replaced. A link to a directory
        counts as this directory in any case.
    type: bool
    default: false
  local_follow:
    description:
      - Copy what links in O(src) lead to. Without it links are copied as links.
    type: bool
    default: true
  decrypt:
    description:
      - Decrypt files of the controller that are encrypted with Ansible Vault.
    type: bool
    default: true
  unsafe_writes:
    description:
      - Write into a file that cannot be replaced because another one is mounted there. A reader may see a
        part of it.
    type: bool
    default: false
notes:
  - Devices and sockets are left out with a warning, and without O(archive) pipes, too.
  - Background tasks (C(async)) need O(remote_src=true) or O(content).
seealso:
  - module: coracle.engine.container
  - module: coracle.engine.volume
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: A configuration file, checked before it is used
  coracle.engine.container_copy:
    container: web
    src: nginx.conf
    dest: /etc/nginx/nginx.conf
    owner: nginx
    mode: "0640"
    validate: nginx -t -c %s
    backup: true

- name: A text
  coracle.engine.container_copy:
    container: web
    content: "{{ motd }}"
    dest: /etc/motd

- name: What is in a directory, to a volume
  coracle.engine.container_copy:
    volume: www
    src: site/
    dest: /

- name: A directory of the target, with everything
  coracle.engine.container_copy:
    container: db
    remote_src: true
    src: /srv/import
    dest: /var/lib/db/
    archive: true

- name: Out of the container, to the controller
  coracle.engine.container_copy:
    container: web
    direction: out
    src: /var/log/nginx/error.log
    dest: "logs/{{ inventory_hostname }}/"

- name: Out of the container, to the target
  coracle.engine.container_copy:
    container: db
    direction: out
    remote_src: true
    src: /var/backups/
    dest: /srv/backups
"""

RETURN = r"""
dest:
  description: The path that what was copied has, including its name if O(dest) was a directory.
  returned: success
  type: str
  sample: /etc/nginx/nginx.conf
src:
  description: What was copied, as the task has it.
  returned: with O(src)
  type: str
  sample: nginx.conf
container:
  description: The container, as the task has it.
  returned: with O(container)
  type: str
  sample: web
volume:
  description: The volume.
  returned: with O(volume)
  type: str
  sample: www
files:
  description: How many files, directories and links were made or changed.
  returned: success
  type: int
  sample: 1
state:
  description: V(file), V(directory) or V(link).
  returned: success
  type: str
  sample: file
checksum:
  description: SHA-1 of the file, as M(ansible.builtin.stat) has it.
  returned: if a file of up to 1 GiB was copied
  type: str
  sample: 372ea08cab33e71c02c651dbc83a474d32c676ea
size:
  description: Bytes of the file.
  returned: if a file was copied
  type: int
  sample: 1220
mode:
  description: Permissions of RV(dest).
  returned: success, unless copied to the controller
  type: str
  sample: "0640"
uid:
  description: Number of its owner.
  returned: success, unless copied to the controller
  type: int
  sample: 101
gid:
  description: Number of its group.
  returned: success, unless copied to the controller
  type: int
  sample: 101
owner:
  description: Name of its owner in the container, the number if there is none.
  returned: success, unless copied to the controller
  type: str
  sample: nginx
group:
  description: Name of its group in the container, the number if there is none.
  returned: success, unless copied to the controller
  type: str
  sample: nginx
backup_file:
  description: Where the old file is now.
  returned: if a file was replaced, with O(backup)
  type: str
  sample: /etc/nginx/nginx.conf.2119.2026-11-24@14:05:11~
backup_files:
  description: The same for all files.
  returned: if files were replaced, with O(backup)
  type: list
  elements: str
  sample:
    - /etc/nginx/nginx.conf.2119.2026-11-24@14:05:11~
actions:
  description: What was done or, in check mode, would be done, and why.
  returned: success
  type: list
  elements: str
  sample:
    - "copy to container web: /etc/nginx/nginx.conf: content, mode"
differences:
  description: What was different, for at most a hundred files.
  returned: success
  type: list
  elements: dict
  contains:
    field:
      description: The path.
      type: str
    before:
      description: Mode and size of what there was, or V(null).
      type: dict
    after:
      description: Mode and size of what there is to be.
      type: dict
    reason:
      description: The same as a sentence.
      type: str
    how:
      description: V(create) for what is new, V(live) for what was changed.
      type: str
"""

import functools
import typing as t

from ..module_utils.module.copy_options import COPY, Sent, read_copy_request, take_sent
from ..module_utils.module.copy_results import copy_files
from ..module_utils.module.entry import run_module
from ..module_utils.runtime.engine import Engine


def run(sent: Sent | None, engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return copy_files(engine, read_copy_request(params, sent), sent, check_mode)


def main() -> None:
    run_module(COPY, functools.partial(run, take_sent()))


if __name__ == "__main__":
    main()
