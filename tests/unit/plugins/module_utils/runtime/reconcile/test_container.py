# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Plans as data: `cases/container/*.yml` hold a task, what it finds, and the steps that follow.

case         what it is about
there        the container that is found (absent: none): `asked` (options as in a task), `status`, `phase`,
             `error`, `name`, `image` (its id; default: the one that is here), `image_name`,
             `mounted_images` (ids by name), `inherited` (targets)
other        a second container, found by `name`
replacement  what an interrupted one has left: `was_running` (and `beside`), or nothing: the old half
kept         versions of the container that are kept, the newest first, in the same way as `there`
image        how the image is resolved: `here` (id, null: not at all), `pull` (reason), `warning`,
                 `damaged`
mounted      how an image that is mounted is resolved, in the same way
missing      paths of the host that are not there
sources      targets of the volumes that volumes_from brings (absent: the container is not there)
task         the task's options, over the defaults of the module
steps        what the plan says; `waits` (steps that change nothing), `differences` (options) and `after`
             (status, null: gone) where of interest
error        instead of steps: a part of the message
"""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.coracle.engine.plugins.module_utils.module.container_options import (
    CONTROL,
    DESCRIPTION,
    read_description,
    read_request,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.attachments import (
    attachments_of,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    REMOVING,
    ContainerRecord,
    ContainerState,
    Replaces,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import Status
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.storage import VolumeMount
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import ImageRecord
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    HostNotReady,
    NotFound,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.resolve_image import (
    ResolvedImage,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container import (
    Planned,
    plan_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    described,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_sight import (
    Outlook,
    Sight,
)

CASES = pathlib.Path(__file__).parent / "cases" / "container"
HERE = "sha256:" + "1" * 64
IMAGE_CONFIG = ImageConfig(env=["FROM_IMAGE=1"], cmd=["serve"], labels={"of": "image"}, user="app")


class Scene(Sight):
    """A host made of a case."""

    def __init__(self, case: dict[str, t.Any]) -> None:
        self.case = case
        given = [case[key] for key in ("there", "other") if case.get(key) is not None]
        found = [self._outlook(there, number) for number, there in enumerate(given)]
        self.containers = {key: one for one in found for key in (one.record.name, one.record.id)}

    def container(self, name: str) -> Outlook | None:
        return self.containers.get(name)

    def await_replacements(self, names: t.Collection[str]) -> None:
        """Nobody else is at work in a case."""

    def hidden(self, name: str) -> list[ContainerRecord]:
        half = self.case.get("replacement")
        if half is None:
            return []
        record = self._outlook({"name": f".{name}.abc"}, 9).record
        if "was_running" in half:
            record.state.replaces = Replaces("0" * 64, half["was_running"], half.get("beside", False))
        else:
            record.state.phase = REMOVING
        return [record]

    def image(self, asked: t.Any, request: t.Any) -> ResolvedImage:
        return self._resolved(self.case.get("image", {}), asked.image)

    def mounted_image(self, name: str, request: t.Any) -> ResolvedImage:
        return self._resolved(self.case.get("mounted", {}), name)

    def inherited(self, asked: t.Any) -> list[VolumeMount]:
        if "sources" not in self.case:
            raise NotFound("volumes_from: there is no container db", "create it first")
        return [VolumeMount("volume", "v", target) for target in self.case["sources"]]

    def _resolved(self, image: dict[str, t.Any], name: str) -> ResolvedImage:
        reason, reference = image.get("pull", ""), parse_reference(name)
        return ResolvedImage(
            reference=reference,
            record=image_record(image.get("here", HERE)) if image.get("here", HERE) else None,
            must_pull=bool(reason),
            reason=reason,
            digest=None,
            warning=image.get("warning", ""),
        )

    def previous(self, record: ContainerRecord) -> list[ContainerRecord]:
        return [
            self._outlook(kept, 7 + number).record for number, kept in enumerate(self.case.get("kept", ()))
        ]

    def image_of(self, record: ContainerRecord) -> ResolvedImage:
        return ResolvedImage(None, image_record(record.image_id))

    def networks(self, record: ContainerRecord) -> list[str]:
        asked = [item["name"] for item in attachments_of(record.config).networks]
        return (self.case.get("there") or {}).get("connected", asked)

    def obstacles(self, wanted: ContainerRecord, old: ContainerRecord | None) -> list[str]:
        names = [item["name"] for item in attachments_of(wanted.config).networks]
        return [f"there is no network {name}" for name in names if name in self.case.get("missing", ())]

    def check_start(self, record: ContainerRecord) -> list[str]:
        if "refuses" in self.case:
            raise HostNotReady(self.case["refuses"])
        return []

    def missing_sources(self, record: ContainerRecord) -> list[str]:
        found = super().missing_sources(record)
        return [path for path in found if path in self.case.get("missing", ())]

    def damaged_image(self, image_id: str) -> ImageRecord | None:
        return image_record(image_id) if self.case.get("image", {}).get("damaged") else None

    def _outlook(self, there: dict[str, t.Any], number: int) -> Outlook:
        asked = there.get("asked", {})
        record = ContainerRecord(
            id=f"{number:x}" * 64,
            name=there.get("name", "web"),
            image_id=there.get("image", HERE),
            image_name=parse_reference(there.get("image_name", "app")).canonical,
            image=IMAGE_CONFIG,
            config=described(asked),
            created="2026-11-24T00:00:00Z",
            mounted_images=there.get("mounted_images", {}),
            inherited=[VolumeMount("volume", "v", target) for target in there.get("inherited", ())],
            state=ContainerState(
                phase=there.get("phase", "ready"),
                kept_since=there.get("kept_since", ""),
                rewiring=there.get("rewiring"),
                resizing=there.get("resizing"),
            ),
        )
        return Outlook(record, Status(there.get("status", "running"), error=there.get("error", "")))


def image_record(image_id: str) -> ImageRecord:
    return ImageRecord(
        id=image_id,
        manifest_digest="",
        media_type="",
        config=IMAGE_CONFIG.to_json(),
        layers=(),
        directories=(),
        parents_layer=None,
        size=0,
    )


def options(task: dict[str, t.Any]) -> dict[str, t.Any]:
    """As AnsibleModule delivers them."""
    specification = {**CONTROL.options, **DESCRIPTION.options}
    assert set(task) <= set(specification), "the case has an option that does not exist"
    return {**{name: option.get("default") for name, option in specification.items()}, "name": "web", **task}


def planned(case: dict[str, t.Any]) -> Planned:
    task = options(case["task"])
    return plan_container(Scene(case), read_description(task), read_request(task, None))


def cases() -> list[t.Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['case']}")
        for path in sorted(CASES.glob("*.yml"))
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("case", cases())
def test_plan(case: dict[str, t.Any]) -> None:
    if "error" in case:
        with pytest.raises(CoracleError) as raised:
            planned(case)
        assert case["error"] in str(raised.value)
        return
    result = planned(case)
    assert result.plan.actions == case["steps"]
    if "waits" in case:
        assert [step.describe() for step in result.plan.steps if not step.changes] == case["waits"]
    assert result.plan.changed == bool(case["steps"])
    if "differences" in case:
        assert [difference.field for difference in result.plan.differences] == case["differences"]
    if "after" in case:
        assert (result.after and result.after.status.status) == case["after"]
    assert list(result.warnings) == case.get("warnings", [])


def test_no_case_shows_a_secret() -> None:
    """`hunter` begins every value of `env` in the cases."""
    for param in cases():
        case = param.values[0]
        if "error" in case:
            with pytest.raises(CoracleError) as raised:
                planned(case)
            shown = str(raised.value)
        else:
            plan = planned(case).plan
            shown = str([plan.actions, [difference.to_json() for difference in plan.differences]])
        assert "hunter" not in shown, param.id


class Again(Scene):
    """The host after a plan was carried out."""

    def __init__(self, after: Outlook) -> None:
        self.case = {"image": {"here": after.record.image_id or HERE}}
        if after.record.config.volumes_from:
            self.case["sources"] = [mount.target for mount in after.record.inherited]
        record = dataclasses.replace(
            after.record,
            image_id=after.record.image_id or HERE,
            mounted_images=dict.fromkeys(after.record.mounted_images, HERE),
        )
        self.containers = {record.name: Outlook(record, after.status)}


def test_a_plan_that_was_carried_out_has_nothing_left_to_do() -> None:
    """What every case predicts is no change for the same task."""
    never_done = {"restart", "recreate", "detach", "rollback"}
    for param in cases():
        case = param.values[0]
        after = None if "error" in case else planned(case).after
        if (
            after is not None
            and not never_done & set(case["task"])
            and len(case["task"].get("name", "")) < 64
        ):
            task = options(case["task"])
            rerun = plan_container(Again(after), read_description(task), read_request(task, None))
            assert rerun.plan.actions == [], param.id
