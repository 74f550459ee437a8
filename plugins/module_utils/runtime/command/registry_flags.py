# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""How to speak to a registry. Credentials are those that `docker login` or `podman login` have left."""

from __future__ import annotations

import argparse

from ..registry.options import RegistryOptions


def add_registry_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--authfile", metavar="path", default="", help="Credentials to use instead")
    parser.add_argument(
        "--insecure-registry",
        action="append",
        default=[],
        metavar="host",
        help="Registry whose certificate is not checked, or that has none",
    )


def registry_options(options: argparse.Namespace) -> RegistryOptions:
    return RegistryOptions(auth_file=options.authfile, insecure_registries=tuple(options.insecure_registry))
