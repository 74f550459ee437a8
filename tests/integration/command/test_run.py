# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle run`, with all that can be said to it, and how it ends."""

from __future__ import annotations

import pathlib
import re

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

NONE = ("--network", "none")


def test_in_the_background(coracle: Shore, harbour: Harbour) -> None:
    container_id = coracle("run", "-dit", *NONE, "--name", "shell", "busybox").strip()
    record = harbour.record("shell")
    assert record.id == container_id
    assert (record.config.tty, record.config.interactive) == (True, True)
    assert harbour.status("shell").status == "running"


def test_in_the_foreground_everything_is_passed_on(coracle: Shore) -> None:
    script = "cat; echo complaint >&2; exit 3"
    answer = coracle.run("run", "-i", "--rm", *NONE, "busybox", "sh", "-c", script, stdin="a line\n")
    assert answer == (3, "a line\n", "complaint\n")
    assert coracle("ps", "-aq") == ""


def test_exit_codes_of_a_shell(coracle: Shore) -> None:
    assert coracle.run("run", "--rm", *NONE, "busybox", "nosuch").code == 127
    assert coracle.run("run", "--rm", *NONE, "busybox", "/etc").code == 126
    assert coracle.run("run", "--rm", "-d", *NONE, "busybox", "nosuch").code == 127
    assert coracle("ps", "-aq") == ""
    assert coracle.run("run", "--nosuch", "busybox").code == 125
    assert "is not a size" in coracle.refused("run", "-m", "lots", "busybox", code=125)


def test_options_arrive(coracle: Shore, harbour: Harbour, tmp_path: pathlib.Path) -> None:
    variables = tmp_path / "env"
    variables.write_text("# comment\nFROM_FILE=1\nBOTH=file\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hello").write_text("from the host\n")
    lines = coracle(
        "run", "--rm", *NONE, "-w", "/srv", "-e", "BOTH=option", "--env-file", str(variables), "-u", "1:2",
        "-v", f"{tmp_path}/data:/data:ro", "--mount", "type=tmpfs,dst=/scratch,tmpfs-size=1m",
        "--hostname", "boat", "--read-only", "--tmpfs", "/run", "--ulimit", "nofile=77:88",
        "--add-host", "sea:10.0.0.1", "--memory", "64m", "--cap-drop", "ALL", "--init", "-l", "tier=front",
        "--shm-size", "1m", "--cpus", "0.5", "--stop-timeout", "1",
        "busybox:1", "sh", "-c",
        "pwd; echo $BOTH$FROM_FILE; id -u; id -g; cat /data/hello; hostname; ulimit -n; cat /etc/hosts",
    ).splitlines()  # fmt: skip
    assert lines[:7] == ["/srv", "option1", "1", "2", "from the host", "boat", "77"]
    assert any(re.fullmatch(r"10\.0\.0\.1\s+sea", line) for line in lines[7:])


def test_names_for_those_who_give_none(coracle: Shore) -> None:
    coracle("create", *NONE, "busybox")
    assert re.fullmatch(r"[a-z]+_[a-z]+\n", coracle("ps", "-a", "--format", "{{.Names}}"))


def test_entrypoint_is_one_program(coracle: Shore) -> None:
    assert coracle("run", "--rm", *NONE, "--entrypoint", "echo", "busybox", "a", "b") == "a b\n"


def test_an_image_that_is_not_here_and_must_not_be_pulled(coracle: Shore) -> None:
    assert (
        coracle.refused("run", "--pull", "never", "nosuch", code=125)
        == "Error: No such image: nosuch:latest\n"
    )


def test_an_image_by_the_beginning_of_its_id(coracle: Shore, harbour: Harbour) -> None:
    short = harbour.image.id.partition(":")[2][:12]
    assert coracle("run", "--rm", *NONE, short, "echo", "here") == "here\n"


def test_the_id_in_a_file(coracle: Shore, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "id"
    container_id = coracle("create", *NONE, "--cidfile", str(path), "busybox").strip()
    assert path.read_text() == container_id
    assert "container ID file found" in coracle.refused("create", "--cidfile", str(path), "busybox")


def test_at_a_terminal(coracle: Shore) -> None:
    with coracle.at_terminal("run", "-it", "--rm", *NONE, "busybox", "sh") as terminal:
        terminal.wait_for("# ")
        terminal.type("echo $((6 * 7)); exit 5\n")
        terminal.wait_for("42")
        assert terminal.end() == 5
    assert coracle("ps", "-aq") == ""


def test_left_at_the_terminal_it_goes_on(coracle: Shore, harbour: Harbour) -> None:
    with coracle.at_terminal("run", "-it", *NONE, "--name", "shell", "busybox", "sh") as terminal:
        terminal.wait_for("# ")
        terminal.type("\x10\x11")  # Ctrl-P Ctrl-Q
        assert terminal.end() == 0
    assert harbour.status("shell").status == "running"
    coracle("stop", "-t", "0", "shell")
    with coracle.at_terminal("start", "-ai", "shell") as terminal:
        terminal.wait_for("# ")
        terminal.type("exit\n")
        assert terminal.end() == 0


def test_a_terminal_is_needed(coracle: Shore) -> None:
    answer = coracle.run("run", "-it", *NONE, "busybox")
    assert answer == (125, "", "Error: the input device is not a TTY\n")
