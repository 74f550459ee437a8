# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What stays on the host when no task is there: exits, boot and shutdown, logs."""
