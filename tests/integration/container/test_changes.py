# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a container has changed, told as `docker diff` tells it: the lists are those of Docker 20.10 for the
same image and commands, without the places where something is mounted.
"""

from __future__ import annotations

import os
import pathlib

from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.list_changes import (
    list_changes,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_container import (
    wait_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

EVERYTHING = """
mkdir -p /new/deep/er; echo x > /new/deep/er/f; echo more >> /etc/passwd
touch /root/a; rm /root/a
chmod 700 /etc
mkdir -p /usr/share/z; ln -s /x /etc/link; chown 1:1 /bin/busybox; rm /etc/group; mkfifo /etc/fifo
rm -rf /home; echo now a file > /home
mkdir /work/sub
"""


def listed(harbour: Harbour, name: str) -> list[str]:
    return [f"{change.kind} {change.path}" for change in list_changes(harbour.engine, harbour.record(name))]


def run(harbour: Harbour, script: str, **options: object) -> list[str]:
    harbour.start("job", "sh", "-e", "-c", script, **options)
    assert wait_container(harbour.engine, "job") == 0, harbour.output("job")
    return listed(harbour, "job")


def test_as_docker(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    bind = {"type": "bind", "source": str(tmp_path), "target": "/mnt/host", "read_only": False, "options": []}
    found = run(harbour, EVERYTHING, working_dir="/work", tmpfs={"/tmpx": ""}, volumes=[bind])
    assert found == [
        "C /bin",
        "C /bin/busybox",
        "C /etc",
        "A /etc/fifo",
        "D /etc/group",
        "A /etc/link",
        "C /etc/passwd",
        "C /home",
        "A /new",
        "A /new/deep",
        "A /new/deep/er",
        "A /new/deep/er/f",
        "A /usr",
        "A /usr/share",
        "A /usr/share/z",
        "A /work",
        "A /work/sub",
    ]


def test_copied_up_is_not_changed(harbour: Harbour) -> None:
    """A file that is opened to be written, a mode that is set to what it was."""
    assert run(harbour, ": >> /etc/passwd; chmod 755 /etc") == []
    upper = os.path.join(harbour.paths.container(harbour.record("job").id), "upper")
    assert os.path.exists(os.path.join(upper, "etc", "passwd"))


def test_metadata_alone(harbour: Harbour) -> None:
    assert run(harbour, "touch -d @1000 /etc/passwd; chmod 600 /etc/group; chown 7 /tmp") == [
        "C /etc",
        "C /etc/group",
        "C /etc/passwd",
        "C /tmp",
    ]


def test_directory_made_again_hides_what_was_in_it(harbour: Harbour) -> None:
    """overlayfs marks it as opaque."""
    assert run(harbour, "rm -r /home; mkdir /home; touch /home/new") == [
        "C /home",
        "D /home/app",
        "A /home/new",
    ]


def test_file_in_place_of_a_directory_and_back(harbour: Harbour) -> None:
    assert run(harbour, "rm -r /www; mkdir /www /www/index.html; rm -r /home/app; mknod /home/app p") == [
        "C /home",
        "C /home/app",
        "C /www",
        "C /www/index.html",
    ]


def test_never_started(harbour: Harbour) -> None:
    harbour.create("job", "true")
    assert listed(harbour, "job") == []


def test_running_and_names_of_any_kind(harbour: Harbour) -> None:
    script = r"cd /tmp; mkdir -- '-a b'; touch \"$(printf 'x\ny')\" \"$(printf '\377')\"; sleep 1000"
    script = script.replace('\\"', '"')
    harbour.start("job", "sh", "-c", script)
    found = wait_until(lambda: listed(harbour, "job"), lambda lines: len(lines) == 4)
    assert set(found) == {"C /tmp", "A /tmp/-a b", "A /tmp/x\ny", "A /tmp/\udcff"}


def test_as_deep_as_names_reach(harbour: Harbour) -> None:
    """Deeper than Python likes to recurse."""
    found = run(harbour, "cd /tmp; i=0; while [ $i -lt 1200 ]; do mkdir dd; cd dd; i=$((i+1)); done")
    assert found[:2] == ["C /tmp", "A /tmp/dd"]
    assert found[-1] == "A /tmp" + 1200 * "/dd"
    assert len(found) == 1201
