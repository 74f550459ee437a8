#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coracle_task
short_description: Internal to coracle.engine, do not use
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - The other modules of this collection run through this one when the engine is on the target already. So a
    task carries only the name of the engine's version, and not the engine.
  - It is of no use in a playbook.
extends_documentation_fragment:
  - coracle.engine._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: There is nothing to use it for
  coracle.engine.container:
    name: web
    image: nginx:1.27
"""

RETURN = r""" # """

from ..module_utils.module.installed_engine import main

if __name__ == "__main__":
    main()
