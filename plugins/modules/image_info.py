#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: What images are on the target
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Returns some or all images on the target in the shape of C(docker image inspect).
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.info_module
  - coracle.engine._attributes.action_group
options:
  name:
    description:
      - Names or full IDs of images. Those that are not on the target are listed in RV(missing).
      - Without it, all images are returned, the newest first.
    type: list
    elements: str
seealso:
  - module: coracle.engine.image
"""

EXAMPLES = r"""
- name: All images
  coracle.engine.image_info:
  register: all

- name: Their names
  ansible.builtin.debug:
    msg: "{{ all.images | map(attribute='RepoTags') | flatten }}"

- name: Fail early if an image is not there
  coracle.engine.image_info:
    name:
      - nginx:1.27
      - team/app:2.3
  register: needed
  failed_when: needed.missing | length > 0
"""

RETURN = r"""
images:
  description: The images, in the order that was asked for, each once.
  returned: success
  type: list
  elements: dict
  sample:
    - Id: sha256:9c7a54a9a43cca047013b82af109fe963fde787f63f9e016fdc3384500c2823d
      RepoTags: ["nginx:1.27"]
      RepoDigests:
        - nginx@sha256:0a399eb16751829e1af26fea27b20c3ec28d7ab1fb72182879dcae1cca21206a
      Size: 192004242
missing:
  description: The names that lead to no image on the target.
  returned: success
  type: list
  elements: str
  sample:
    - team/app:2.3
"""

import typing as t

from ..module_utils.module.argspec import ArgumentSpec
from ..module_utils.module.entry import run_module
from ..module_utils.module.image_results import info_result
from ..module_utils.runtime.engine import Engine


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return {"changed": False, **info_result(engine, params["name"])}


def main() -> None:
    run_module(ArgumentSpec({"name": {"type": "list", "elements": "str"}}), run, reads=True)


if __name__ == "__main__":
    main()
