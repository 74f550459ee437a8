# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Many processes at the same container: the outcome is that of one after the other."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour

BARRIER = """
import os, time
open(arguments[0] + "/" + str(os.getpid()), "w").close()
while not os.path.exists(arguments[0] + "/go"):
    time.sleep(0.002)
"""
CREATE = """
config = load("container.config").ContainerConfig(command=["sleep", "1000"], network_mode="none")
image = load("content.images").list_images(engine.records.read())[0]
try:
    print(verb("create_container")(engine, "web", config, image, "busybox").id)
except load("errors").Conflict as error:
    print("conflict:", error)
"""


def at_once(harbour: Harbour, directory: pathlib.Path, codes: t.Sequence[str]) -> list[str]:
    """Run each piece of code in a process of its own, all let go at one instant; what they printed."""
    crowd = [
        subprocess.Popen(
            harbour.python(BARRIER + code, str(directory)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for code in codes
    ]
    try:
        while len(list(directory.iterdir())) < len(crowd):
            assert all(process.poll() is None for process in crowd)
        (directory / "go").touch()
        return [process.communicate(timeout=120)[0] for process in crowd]
    finally:
        for process in crowd:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_one_of_fifty_starts_it(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    harbour.create("web", "sh", "-c", "echo started; sleep 1000")
    code = "print(verb('start_container')(engine, 'web').state.run.nonce)"
    nonces = at_once(harbour, tmp_path, [code] * 50)
    assert len(set(nonces)) == 1, nonces
    run = harbour.record("web").state.run
    assert run is not None
    assert nonces[0].strip() == run.nonce
    assert harbour.output("web").count("started") == 1


@pytest.mark.slow
def test_one_of_many_gets_the_name(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    answers = at_once(harbour, tmp_path, [CREATE] * 12)
    won = [answer.strip() for answer in answers if not answer.startswith("conflict")]
    assert won == [harbour.record("web").id]
    taken = f"create container web: the name is taken by container {won[0][:12]} (choose another name)"
    assert {answer.strip() for answer in answers} == {won[0], f"conflict: {taken}"}


@pytest.mark.slow
def test_start_stop_remove_at_once(harbour: Harbour, tmp_path: pathlib.Path) -> None:
    """Whatever the order, every process ends well or finds it gone, and nothing is left."""
    harbour.create("web", "sleep", "1000", stop_timeout=0)
    template = "try: verb('{0}')(engine, 'web'); print('done')\nexcept load('errors').NotFound: print('gone')"
    verbs = ["start_container", "stop_container", "restart_container"] * 4 + ["remove_container"]
    answers = at_once(harbour, tmp_path, [template.format(verb) for verb in verbs])
    assert set(answers) <= {"done\n", "gone\n"}, answers
    assert not harbour.exists("web")
