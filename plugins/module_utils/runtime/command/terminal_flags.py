# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the words that put a person before a program have in common: `attach`, `exec`, `run`, `start`."""

from __future__ import annotations

import argparse

from ..container.detach_keys import DEFAULT_DETACH_KEYS


def add_detach_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--detach-keys",
        metavar="string",
        default=DEFAULT_DETACH_KEYS,
        help=f'Keys that leave the program and let it go on (default "{DEFAULT_DETACH_KEYS}")',
    )


def add_sig_proxy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sig-proxy",
        action="store_true",
        default=True,
        help="Proxy all received signals to the process (default true)",
    )
    parser.add_argument("--no-sig-proxy", dest="sig_proxy", action="store_false", help=argparse.SUPPRESS)
