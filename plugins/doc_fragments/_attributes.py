# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # Attributes every module states; the module itself says how much of each it supports.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and says exactly what would be done, without doing it.
  diff_mode:
    description: Returns in C(--diff) mode what has changed or would be changed.
  idempotent:
    description: Run twice in a row with the same options, the second run changes nothing.
  platform:
    description: Target operating systems.
    support: full
    platforms: linux
"""

    # The action group, for C(module_defaults).
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/coracle.engine.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - coracle.engine.all
"""

    # For modules that only read.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module does not change anything.
  diff_mode:
    support: N/A
    details:
      - This module does not change anything.
  idempotent:
    support: full
    details:
      - This module does not change anything.
"""
