# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The whole option table, by what people may write: what means the same is no difference, and what means
something else is one.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    FIELDS,
    described,
    differences,
)
from ansible_collections.coracle.engine.tests.unit.plugins.module_utils.runtime.reconcile import (
    test_container_fields as table,
)
from ansible_collections.coracle.engine.tests.unit.plugins.module_utils.runtime.reconcile.meanings import (
    MEANINGS,
    Meaning,
    one_of,
)

ROWS = {field.name: field for field in FIELDS}
quickly = settings(max_examples=8)
every_option = pytest.mark.parametrize("option", sorted(ROWS))


def asked(option: str, value: t.Any) -> ContainerConfig:
    """As it is stored and read again."""
    value = list(value) if isinstance(value, tuple) else value
    config = described({**table.ALONG.get(option, {}), option: value})
    return ContainerConfig.from_json(json.loads(json.dumps(config.to_json())))


def meaning_of(option: str) -> Meaning:
    """An option without a row of its own is tried with the three values that every option has."""
    one, same, other = table.VALUES[option]
    spellings = {"one": [one, same], "other": [other]}
    few = Meaning(st.sampled_from(sorted(spellings)), lambda draw, value: one_of(draw, *spellings[value]))
    return MEANINGS.get(option, few)


def test_meanings_are_of_options() -> None:
    assert set(MEANINGS) <= set(ROWS)


@every_option
@quickly
@given(data=st.data())
def test_what_means_the_same_is_no_difference(option: str, data: st.DataObject) -> None:
    meaning = meaning_of(option)
    value = data.draw(meaning.values)
    one, other = (asked(option, meaning.spell(data.draw, value)) for _time in range(2))
    assert differences(one, other) == []
    assert one == other


@every_option
@quickly
@given(data=st.data())
def test_set_changed_and_removed(option: str, data: st.DataObject) -> None:
    """Each is a difference that can be told, and so is the way back."""
    meaning = meaning_of(option)
    first, second = data.draw(meaning.values), data.draw(meaning.values)
    assume(first != second)
    one, other = (asked(option, meaning.spell(data.draw, value)) for value in (first, second))
    nothing = described(table.ALONG.get(option, {}))
    tell(option, one, other)
    for config in (one, other):
        if means_nothing(option, config):
            assert differences(config, nothing) == differences(nothing, config) == []
        else:
            tell(option, config, nothing)


def tell(option: str, one: ContainerConfig, other: ContainerConfig) -> None:
    there, back = differences(one, other), differences(other, one)
    for found in (there, back):
        assert len(found) == 1
        assert found[0].field in (
            option,
            table.TOLD_AS.get(option, "networks" if option == "network_mode" else option),
        )
        assert "\n" not in found[0].describe()
        json.dumps(found[0].to_json())
    assert (there[0].before, there[0].after) != (back[0].before, back[0].after)


def means_nothing(option: str, config: ContainerConfig) -> bool:
    """Is it what not asking means?"""
    return bool(ROWS[option].value_in(config) == ROWS[option].value_in(ContainerConfig()))
