# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A real distribution, alone and under the layers that people put on one."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.coracle.engine.tests.integration.layers.conftest import Images
from ansible_collections.coracle.engine.tests.integration.layers.debian import changed_layer, debian_layer
from ansible_collections.coracle.engine.tests.integration.layers.test_umoci import assert_same_tree
from ansible_collections.coracle.engine.tests.tars import archive, file, hard_link, whiteout


@pytest.fixture(scope="module")
def debian() -> bytes:
    return debian_layer()


def test_debian_with_a_layer_of_changes(debian: bytes, images: Images, place: pathlib.Path) -> None:
    assert_same_tree(images, [debian, changed_layer(debian, place / "repack")], place)
    assert images.reopened == []


def test_a_layer_that_says_lib_over_a_merged_usr(debian: bytes, images: Images, place: pathlib.Path) -> None:
    tools = archive(
        file("bin/tool", b"#!/bin/sh\n", mode=0o755),
        file("lib/tool/data", b"data"),
        file("etc/tool.conf", b"x"),
        whiteout("bin/sh"),
        hard_link("sbin/tool", "bin/tool"),
    )
    assert_same_tree(images, [debian, tools], place)
    assert images.reopened == [1]
