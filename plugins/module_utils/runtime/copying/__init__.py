# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Files on their way into a container and out of it: where they are, what differs, how they get there."""
