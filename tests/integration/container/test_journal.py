# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Output that goes to the journal: what conmon writes there, heard by a socket in the place of journald's."""

from __future__ import annotations

import json
import subprocess

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.log_values import (
    check_readable,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import Conflict
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

JOURNAL = """
import json, os, socket, subprocess
def fields(message):
    found = {}
    while message:
        name, _end, message = message.partition(b"\\n")
        name, equals, value = name.partition(b"=")
        if not equals:  # with line feeds in it: its length comes first, in eight bytes
            length = int.from_bytes(message[:8], "little")
            value, message = message[8 : 8 + length], message[9 + length :]
        found[name.decode()] = value.decode()
    return found
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
os.makedirs("/run/systemd/journal")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
journal.settimeout(20)
verb("start_container")(engine, "talk")
entries = []
while len(entries) < 2:
    entry = fields(journal.recv(1 << 16))
    entries += [entry] if "CONTAINER_NAME" in entry else []
verb("wait_container")(engine, "talk")
verb("remove_container")(engine, "talk")
print(json.dumps(entries))
"""


def test_lines_and_tag(harbour: Harbour) -> None:
    """In a mount namespace of its own: the place of the socket is the same for all."""
    made = harbour.create(
        "talk",
        "sh",
        "-c",
        "echo hello; sleep 0.2; echo oh >&2",
        log_driver="journald",
        log_options={"tag": "shop"},
    )
    with pytest.raises(Conflict, match="is in the journal of the host") as caught:
        check_readable(harbour.record("talk"))
    assert caught.value.hint == f"read it there: journalctl CONTAINER_ID_FULL={made.id}"
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", *harbour.python(JOURNAL)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert (first["MESSAGE"].strip(), first["PRIORITY"]) == ("hello", "6")
    assert (second["MESSAGE"].strip(), second["PRIORITY"]) == ("oh", "3")
    for entry in (first, second):
        assert entry["CONTAINER_NAME"] == "talk"
        assert entry["CONTAINER_ID_FULL"] == made.id
        assert entry["CONTAINER_TAG"] == "shop"
