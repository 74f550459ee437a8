# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # Options of docker_container that say what is so here anyway.
    DOCUMENTATION = r"""
options:
  command_handling:
    description:
      - Can be V(correct), as a list always stays a list. For playbooks that were written for
        M(community.docker.docker_container).
    type: str
    choices:
      - compatibility
      - correct
  container_default_behavior:
    description:
      - Can be V(no_defaults), as an option that is not given means its default.
    type: str
    choices:
      - compatibility
      - no_defaults
  image_comparison:
    description:
      - Both values mean the same, as what the image brings is never a difference.
    type: str
    choices:
      - current-image
      - desired-image
  image_label_mismatch:
    description:
      - Can be V(ignore), as labels that the image brings are never a difference.
    type: str
    choices:
      - fail
      - ignore
  output_logs:
    description:
      - Can be V(false). With O(detach=false), what the container wrote is in RV(output).
    type: bool
  pull_check_mode_behavior:
    description:
      - Can be V(image_not_present). Check mode asks the registry, and says whether there would be a change.
    type: str
    choices:
      - always
      - image_not_present
  removal_wait_timeout:
    description:
      - Has no effect. A container that was removed is gone when the task is done.
    type: float
  userns_mode:
    description:
      - Can be V(host), as the user ids of containers are those of the host.
    type: str
  volume_driver:
    description:
      - Can be V(local), as there are no plugins.
    type: str
"""
