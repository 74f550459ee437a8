# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the engine can do: one file, one verb. A verb takes the locks it needs and leaves a true record."""
