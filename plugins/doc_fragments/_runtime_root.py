# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  root:
    description:
      - Directory on the target that holds images, containers and the state of the engine. It survives a
        reboot.
      - Two engines with different roots know nothing of each other and can be used side by side.
    type: path
    default: /var/lib/coracle
  run_root:
    description:
      - Directory on the target for locks and what belongs to running containers. It has to be empty after a
        reboot.
      - Every O(root) has its own. A pair in which one of both belongs to another is refused.
    type: path
    default: /run/coracle
requirements:
  - The packages crun and conmon on the target. The role P(coracle.engine.host#role) installs them.
  - Root privileges on the target.
"""
