# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.addresses import (
    may_lead_to,
    parse_address,
)


@pytest.mark.parametrize(
    ("home", "target", "allowed"),
    [
        ("8.8.8.8", "1.1.1.1", True),
        ("8.8.8.8", "10.0.0.1", False),
        ("8.8.8.8", "192.168.1.1", False),
        ("8.8.8.8", "100.64.0.1", False),
        ("8.8.8.8", "127.0.0.1", False),
        ("8.8.8.8", "0.0.0.0", False),
        ("8.8.8.8", "169.254.169.254", False),
        ("8.8.8.8", "::1", False),
        ("8.8.8.8", "::ffff:127.0.0.1", False),
        ("8.8.8.8", "::ffff:10.0.0.1", False),
        ("8.8.8.8", "fe80::1%eth0", False),
        ("8.8.8.8", "fd00::1", False),
        ("8.8.8.8", "2606:4700::1111", True),
        ("10.0.0.1", "10.0.0.2", True),
        ("10.0.0.1", "8.8.8.8", True),
        ("10.0.0.1", "127.0.0.1", False),
        ("10.0.0.1", "169.254.169.254", False),
        ("127.0.0.1", "127.0.0.2", True),
        ("127.0.0.1", "10.0.0.1", True),
        ("127.0.0.1", "169.254.169.254", False),
        ("127.0.0.1", "224.0.0.1", False),
        ("169.254.1.1", "169.254.1.1", True),
        (None, "8.8.8.8", True),
        (None, "10.0.0.1", False),
        (None, "127.0.0.1", False),
    ],
)
def test_where_a_registry_may_send_us(home: str | None, target: str, allowed: bool) -> None:
    assert may_lead_to(parse_address(home) if home else None, parse_address(target)) is allowed
