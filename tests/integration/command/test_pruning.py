# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Docker's prune words with their question, `system df`, and `fsck`."""

from __future__ import annotations

import json
import os
import re

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour


def test_it_asks_before_it_removes(coracle: Shore, harbour: Harbour) -> None:
    record = harbour.create("old", "true")
    no = coracle.run("container", "prune", stdin="n\n")
    assert (no.code, no.out) == (1, "")
    assert no.err == (
        "WARNING! This will remove all stopped containers.\n"
        "Are you sure you want to continue? [y/N] Error: container prune has been cancelled\n"
    )
    assert coracle.run("container", "prune").code == 1
    assert harbour.exists("old")
    yes = coracle.run("container", "prune", "--filter", "label!=keep", stdin="y\n")
    assert "  Items to be pruned will be filtered with:\n  - label!=keep\n" in yes.err
    assert yes.out == f"Deleted Containers:\n{record.id}\n\nTotal reclaimed space: 0B\n"
    assert not harbour.exists("old")
    assert coracle("container", "prune", "-f") == "Total reclaimed space: 0B\n"


def test_at_a_terminal(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("old", "true")
    with coracle.at_terminal("container", "prune") as terminal:
        terminal.wait_for("Are you sure you want to continue? [y/N] ")
        terminal.type("y\n")
        terminal.wait_for("Total reclaimed space: 0B")
        assert terminal.end() == 0
    assert not harbour.exists("old")


def test_who_only_wants_to_know(coracle: Shore, harbour: Harbour) -> None:
    record = harbour.create("old", "true", labels={"job": "x"})
    dry = coracle("system", "prune", "-a", "--volumes", "--dry-run")
    assert f"Would be deleted Containers:\n{record.id}\n" in dry
    image = f"untagged: busybox:1\nuntagged: busybox:latest\ndeleted: {harbour.image.id}"
    assert f"Would be deleted Images:\n{image}\n" in dry
    size = re.search(r"Total reclaimable space: (\S+)\n$", dry)
    assert size is not None
    assert harbour.exists("old")
    kept = coracle("system", "prune", "-f", "-a", "--keep", "old", "--keep", "busy*:1")
    assert kept == "Total reclaimed space: 0B\n"
    filtered = coracle("system", "prune", "-f", "-a", "--filter", "until=24h")
    assert filtered == "Total reclaimed space: 0B\n"
    done = coracle("system", "prune", "-f", "-a", "--volumes")
    assert done.endswith(f"Total reclaimed space: {size[1]}\n")
    assert not harbour.exists("old")
    assert coracle("images", "-q") == ""


def test_warnings_are_docker_s(coracle: Shore) -> None:
    def warning(*words: str) -> str:
        return coracle.run(*words).err.rpartition("Are you sure")[0]

    assert warning("image", "prune") == "WARNING! This will remove all dangling images.\n"
    assert warning("image", "prune", "-a") == (
        "WARNING! This will remove all images without at least one container associated to them.\n"
    )
    assert warning("network", "prune") == (
        "WARNING! This will remove all custom networks not used by at least one container.\n"
    )
    assert warning("volume", "prune") == (
        "WARNING! This will remove anonymous local volumes not used by at least one container.\n"
    )
    assert warning("system", "prune", "-a", "--volumes") == (
        "WARNING! This will remove:\n"
        "  - all stopped containers\n"
        "  - all networks not used by at least one container\n"
        "  - all anonymous volumes not used by at least one container\n"
        "  - all images without at least one container associated to them\n\n"
    )
    assert "there is no filter 'color'" in coracle.refused("image", "prune", "-f", "--filter", "color=red")


def test_volumes_and_networks(coracle: Shore, harbour: Harbour) -> None:
    coracle("volume", "create", "named")
    nameless = coracle("volume", "create").strip()
    coracle("network", "create", "empty")
    assert coracle("volume", "prune", "-f").splitlines()[:2] == ["Deleted Volumes:", nameless]
    assert coracle("volume", "prune", "-af", "--filter", "label=x") == "Total reclaimed space: 0B\n"
    assert coracle("volume", "prune", "-af").splitlines()[1] == "named"
    assert coracle("network", "prune", "-f").splitlines()[:2] == ["Deleted Networks:", "empty"]
    answer = coracle.json("image", "prune", "-f")
    assert (answer["images"], answer["space_reclaimed"]) == ([], 0)


def test_what_the_disk_holds(coracle: Shore, harbour: Harbour) -> None:
    harbour.start("web", "sleep", "1000")
    coracle("volume", "create", "data")
    path = os.path.join(harbour.paths.volumes, "data", "_data", "file")
    with open(path, "wb") as file:
        file.write(b"x" * 4300)
    lines = [re.split(r" {2,}", line) for line in coracle("system", "df").splitlines()]
    assert lines[0] == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert [line[0] for line in lines[1:]] == [
        "Images",
        "Containers",
        "Local Volumes",
        "Build Cache",
        "Container Logs",
    ]
    assert lines[1][1:3] == ["1", "1"]
    assert lines[2][1:3] == ["1", "1"]
    assert lines[3][1:] == ["1", "0", "4.3kB", "4.3kB (100%)"]
    numbers = {row["Type"]: row for row in coracle.json("system", "df")}
    assert numbers["Local Volumes"]["Size"] == 4300
    details = coracle("system", "df", "-v")
    for text in (
        "Images space usage:",
        "Containers space usage:",
        "Local Volumes space usage:",
        "SHARED SIZE",
        "CACHE ID   CACHE TYPE",
    ):
        assert text in details
    assert re.search(
        r"^CONTAINER ID +IMAGE +COMMAND +LOCAL VOLUMES +SIZE +CREATED +STATUS", details, re.MULTILINE
    )
    assert re.search(r"Up .*seconds? +web$", details, re.MULTILINE)
    assert re.search(r"^data +0 +4.3kB$", details, re.MULTILINE)


def test_fsck_tells_and_mends(coracle: Shore, harbour: Harbour) -> None:
    record = harbour.create("web", "true")
    os.makedirs(harbour.paths.container_run(record.id))
    found = coracle.run("fsck")
    assert found.code == 1
    assert "container web: it does not run, and there is still a run directory\n" in found.out
    assert found.out.endswith("2 problems, of which coracle fsck --repair can mend 2\n")
    mended = coracle.run("fsck", "--repair")
    assert "container web: it does not run, and there is still a run directory: repaired\n" in mended.out
    assert mended.out.endswith("2 problems, 1 left\n")  # the image of the harbour came from no registry
    assert mended.code == 1
    [left] = json.loads(coracle.run("fsck", "--json").out)
    assert left["repairable"] is True
    coracle("rm", "web")
    coracle("rmi", "-f", "busybox:1", "busybox:latest")
    assert coracle("fsck", "--content") == "everything is as it should be\n"
