# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Image bytes at rest: blobs by digest, image records by id and by name, and the collection of what nobody
needs.
"""
