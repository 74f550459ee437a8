# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The command itself: how it is completed, and how it ends where people end it."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour


def completed(coracle: Shore, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    line = " ".join(f"'{word}'" for word in ("coracle", *words))
    script = (
        f"PATH={os.path.dirname(coracle.program)}:$PATH; source <(coracle completion bash);"
        f" COMP_WORDS=({line}); COMP_CWORD={len(words)}; _coracle; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_words_options_and_names(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("web", "true")
    harbour.create("worker", "true")
    assert completed(coracle, "unp") == ["unpause"]
    assert completed(coracle, "container", "rena") == ["rename"]
    assert completed(coracle, "ps", "--no") == ["--no-trunc"]
    assert completed(coracle, "rm", "-f", "w") == ["web", "worker"]
    assert completed(coracle, "run", "--pull", "") == ["always", "missing", "never"]
    assert completed(coracle, "run", "-d", "busy") == ["busybox:1", "busybox:latest"]


def test_other_shells_have_a_script_too(coracle: Shore) -> None:
    assert "compdef _coracle coracle" in coracle("completion", "zsh")
    assert "complete -c coracle" in coracle("completion", "fish")
    assert 'invalid argument "tcsh" for' in coracle.refused("completion", "tcsh", code=125)


def test_lines_that_make_no_sense(coracle: Shore) -> None:
    """Errors about options as Docker's command has them; without its name, unlike those about names."""
    usage = "Usage:  coracle run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'coracle run --help' for more"
    usage = f"{usage} information"
    assert coracle.refused("run", "--restrat", "x", code=125) == (
        f"unknown flag: --restrat\nDid you mean '--restart'?\n\n{usage}\n"
    )
    assert coracle.refused("run") == f"coracle: 'coracle run' requires at least 1 argument\n\n{usage}\n"
    assert "give one of them" in coracle.refused("ps", "--json", "--format", "{{.ID}}", code=125)
    assert coracle("ps", "--json", "--format", "json") == "[]\n"
    assert "--json needs -d" in coracle.refused("run", "--json", "busybox:1", "true", code=125)


def test_nobody_who_reads(coracle: Shore) -> None:
    """As for `coracle help | head -1`: no traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([coracle.program, "help"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_interrupted_by_the_keyboard(coracle: Shore, harbour: Harbour) -> None:
    """While a container is given its time; the container is what it was."""
    harbour.start("web", "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done")
    while "deaf" not in harbour.output("web"):
        time.sleep(0.01)
    program = subprocess.Popen([coracle.program, "stop", "-t", "100", "web"], stderr=subprocess.PIPE)
    while not harbour.record("web").state.stopped_by_user:
        time.sleep(0.01)
    program.send_signal(signal.SIGINT)
    _out, err = program.communicate(timeout=20)
    assert (program.returncode, err) == (130, b"")
    assert harbour.status("web").status == "running"


def test_two_engines_do_not_see_each_other(coracle: Shore, harbour: Harbour) -> None:
    harbour.create("web", "true")
    elsewhere = f"{coracle.paths.root}-elsewhere"
    assert coracle("--root", elsewhere, "--run-root", f"{elsewhere}-run", "ps", "-aq") == ""
    assert not os.path.exists(elsewhere)
    assert coracle("--root", coracle.paths.root, "ps", "-aq") == harbour.record("web").id[:12] + "\n"
