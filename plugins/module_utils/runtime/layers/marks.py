# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How overlayfs says that something of the layers below is not there any more.

Source: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
"""

from __future__ import annotations

import os
import stat

OPAQUE = "trusted.overlay.opaque"
"""The attribute, `y`, of a directory that shows nothing of those below."""


def is_whiteout(found: os.stat_result) -> bool:
    """A character device 0:0: the name is not there."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0
