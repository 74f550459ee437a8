# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.capabilities import (
    DEFAULT_CAPABILITIES,
    capabilities_from_mask,
    granted_capabilities,
    process_capabilities,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.security_values import (
    CAPABILITIES,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import HostNotReady

ALL = frozenset(CAPABILITIES)


def test_the_default_is_podmans_eleven() -> None:
    assert capabilities_from_mask(0x800405FB) == frozenset(DEFAULT_CAPABILITIES)
    assert granted_capabilities(ContainerConfig(), ALL) == sorted(DEFAULT_CAPABILITIES)


@pytest.mark.parametrize(
    ("add", "drop", "granted"),
    [
        (["NET_ADMIN"], [], {*DEFAULT_CAPABILITIES, "NET_ADMIN"}),
        ([], ["CHOWN", "KILL"], set(DEFAULT_CAPABILITIES) - {"CHOWN", "KILL"}),
        ([], ["ALL"], set()),
        (["CHOWN"], ["ALL"], {"CHOWN"}),
        (["ALL"], [], set(ALL)),
        (["ALL"], ["SYS_ADMIN"], set(ALL) - {"SYS_ADMIN"}),
        (["CHOWN"], ["CHOWN"], set(DEFAULT_CAPABILITIES)),
    ],
)
def test_additions_and_drops(add: list[str], drop: list[str], granted: set[str]) -> None:
    assert granted_capabilities(ContainerConfig(capabilities=add, cap_drop=drop), ALL) == sorted(granted)


def test_never_more_than_the_host_has() -> None:
    host = ALL - {"KILL", "SYS_RESOURCE"}
    assert "KILL" not in granted_capabilities(ContainerConfig(), host)
    assert granted_capabilities(ContainerConfig(privileged=True, cap_drop=["ALL"]), host) == sorted(host)
    assert granted_capabilities(ContainerConfig(capabilities=["ALL"]), host) == sorted(host)
    with pytest.raises(HostNotReady, match="SYS_RESOURCE is not ours to give"):
        granted_capabilities(ContainerConfig(capabilities=["SYS_RESOURCE"]), host)


def test_only_root_holds_them() -> None:
    assert process_capabilities(["CHOWN"], 0) == {
        "bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"],
        "inheritable": [], "ambient": [],
    }  # fmt: skip
    assert process_capabilities(["CHOWN"], 1) == {
        "bounding": ["CAP_CHOWN"], "effective": [], "permitted": [], "inheritable": [], "ambient": [],
    }  # fmt: skip
