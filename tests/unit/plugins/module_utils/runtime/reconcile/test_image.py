# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Plans for images on a real state file; the registry is one function."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import (
    ImageName,
    ImageRecord,
    save_image,
    save_name,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine, open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RegistryError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import resolve_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.image import (
    ImageRequest,
    plan_image,
)


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


@pytest.fixture
def engine(tmp_path: pathlib.Path) -> t.Iterator[Engine]:
    with open_engine(str(tmp_path / "root"), str(tmp_path / "run")) as engine:
        yield engine


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the registry was asked for. It has the digest 1… for everything but `nothing`."""
    asked: list[str] = []

    def answer(reference: t.Any, _options: t.Any) -> str:
        asked.append(reference.familiar)
        if reference.repository == "library/nothing":
            raise NotFound("there is no such tag")
        if reference.repository == "library/down":
            raise RegistryError("the registry is down")
        return digest("1")

    monkeypatch.setattr(resolve_image, "_digest_at_registry", answer)
    return asked


def add(engine: Engine, letter: str, *names: str, top: str = "1") -> str:
    """An image without layers, so that there is nothing to be damaged."""
    config = ImageConfig(architecture="amd64").to_json()
    record = ImageRecord(digest(letter), digest("e"), "type", config, (), (), None, 0)
    with engine.database.transaction() as transaction:
        save_image(transaction, record)
        for name in names:
            canonical = parse_reference(name).canonical
            save_name(transaction, ImageName(canonical, record.id, digest(top)))
    return record.id


def ask(engine: Engine, name: str | None, **options: t.Any) -> list[str]:
    wanted = None if name is None else digest(name[0]) if len(name) == 64 else parse_reference(name)
    tags = tuple(parse_reference(tag) for tag in options.pop("tags", ()))
    return plan_image(engine, ImageRequest(wanted, tags=tags, **options)).plan.actions


def test_what_is_not_here_is_pulled_and_then_tagged(engine: Engine, asked: list[str]) -> None:
    assert ask(engine, "x:1", tags=["y", "z"]) == [
        "pull image x:1: it is not here",
        "tag image x:1 as y:latest: it is to follow",
        "tag image x:1 as z:latest: it is to follow",
    ]
    assert asked == ["x:1"]
    assert not engine.exists


def test_what_is_here_needs_nothing(engine: Engine, asked: list[str]) -> None:
    add(engine, "a", "x:1", "y")
    assert ask(engine, "x:1", tags=["y"]) == []
    assert ask(engine, "x:1", pull="never") == []
    assert asked == []
    assert ask(engine, "x:1", pull="always") == []
    assert asked == ["x:1"]


def test_a_tag_that_moved(engine: Engine, asked: list[str]) -> None:
    add(engine, "a", "x:1", top="2")
    planned = plan_image(engine, ImageRequest(parse_reference("x:1"), pull="always"))
    assert planned.plan.actions == ["pull image x:1: x:1 is now sha256:111111111111 in the registry"]
    [difference] = planned.plan.differences
    assert difference[:3] == ("digest", digest("2"), digest("1"))


def test_names_that_lead_elsewhere_are_moved(engine: Engine) -> None:
    add(engine, "a", "x:1")
    add(engine, "b", "y:1")
    assert ask(engine, "x:1", tags=["y:1", "z"]) == [
        f"tag image {digest('a')} as y:1: it leads to sha256:bbbbbbbbbbbb",
        f"tag image {digest('a')} as z:latest: there is no such name",
    ]
    assert ask(engine, "b" * 64, tags=["y:1"]) == []


def test_never_is_an_error_for_what_is_not_here(engine: Engine, asked: list[str]) -> None:
    with pytest.raises(NotFound, match="image x:1 is not on this host, and pull is never"):
        ask(engine, "x:1", pull="never")
    assert asked == []


def test_what_the_registry_does_not_have_is_an_error_of_the_plan(engine: Engine, asked: list[str]) -> None:
    with pytest.raises(NotFound, match="look for nothing:latest: there is no such tag"):
        ask(engine, "nothing")


def test_newer_warns_and_goes_on(engine: Engine, asked: list[str]) -> None:
    add(engine, "a", "down:1")
    planned = plan_image(engine, ImageRequest(parse_reference("down:1"), pull="newer"))
    assert not planned.plan.changed
    assert planned.warnings == ("what is here of down:1 is used: look for down:1: the registry is down",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": None}, "name is missing"),
        ({"name": None, "state": "absent"}, "name is missing"),
        ({"name": "x", "source": "archive"}, "needs path"),
        ({"name": "x", "path": "/x"}, "the source is a registry"),
        ({"name": "x", "archive_name": "y"}, "the source is not an archive"),
        (
            {"name": "x", "source": "rootfs", "path": "/x", "archive_name": "y"},
            "the source is not an archive",
        ),
        ({"name": "a" * 64, "source": "rootfs", "path": "/x"}, "cannot be given an id"),
        ({"name": "x@" + digest("1"), "source": "rootfs", "path": "/x"}, "cannot be given to an image"),
        ({"name": "x", "tags": ["y@" + digest("1")]}, "cannot be given to an image"),
    ],
)
def test_contradictions(engine: Engine, options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ask(engine, options.pop("name"), **options)


def test_removals(engine: Engine) -> None:
    add(engine, "a", "x:1", "x:2")
    add(engine, "b", "y:1")
    assert ask(engine, "x:1", state="absent") == ["remove the name x:1: the image stays"]
    assert ask(engine, "y:1", state="absent") == ["remove image y:1"]
    assert ask(engine, "a" * 64, state="absent") == ["remove image x:1, x:2"]
    assert ask(engine, "z", state="absent") == []
    assert ask(engine, "c" * 64, state="absent") == []


def test_an_image_in_use(engine: Engine) -> None:
    image_id = add(engine, "a", "x:1")
    with engine.database.transaction() as transaction:
        transaction.execute(
            "INSERT INTO containers (id, name, image_id, config, state, created)"
            " VALUES ('1', 'web', ?, '', '', '')",
            (image_id,),
        )
    with pytest.raises(Conflict, match="is used by container web"):
        ask(engine, "x:1", state="absent")
    assert ask(engine, "x:1", state="absent", force=True) == ["remove the name x:1: the image stays"]


def test_a_step_keeps_the_password_to_itself(engine: Engine, asked: list[str]) -> None:
    from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import (
        RegistryOptions,
    )

    secret = RegistryOptions(username="ann", password="hunter2-XYZ")
    plan = plan_image(engine, ImageRequest(parse_reference("x"), registry=secret)).plan
    assert "hunter2-XYZ" not in repr(plan) + str(plan.actions)
