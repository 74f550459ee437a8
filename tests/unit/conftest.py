# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Properties are checked without a clock: a loaded machine is no failure."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("coracle", deadline=None)
hypothesis.settings.load_profile("coracle")
