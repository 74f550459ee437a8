# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""OCI documents as values: no file, no socket.

    digest          `sha256:<hex>` and the reader that believes nothing
    reference       image names as people type them, and their canonical form
    strict_json     JSON as an adversary would not like it
    platforms       operating system, architecture, variant: parse, compare, choose from an index
    documents       descriptors, manifests and indexes
    image_config    what an image says about the process it wants

Everything parsed here comes from a registry or an archive and is taken for an attack until it has been
checked. Specifications: OCI image-spec 1.1, OCI distribution-spec 1.1, Docker image manifest version 2 schema
2.
"""
