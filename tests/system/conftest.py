# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""System tests drive a virtual machine through Ansible over ssh, as a user would from this checkout."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.system.machine import (
    HOST_ADDRESS,
    REPOSITORY,
    USER,
    Machine,
    build,
)

SUITES = os.environ.get("CORACLE_VM_SUITES", "bookworm").split(",")  # make SUITES=…


class Controller:
    """The controller's side: an inventory with the one machine, ad-hoc tasks and playbooks against it."""

    def __init__(self, machine: Machine, work: pathlib.Path) -> None:
        self.machine = machine
        self.work = work
        self.inventory = work / "inventory.yml"
        self._logins = work / "cp"
        self.inventory.write_text(
            json.dumps(
                {
                    "all": {
                        "hosts": {
                            "vm": {
                                "ansible_host": "127.0.0.1",
                                "ansible_port": machine.port,
                                "ansible_user": USER,
                                "ansible_become": True,
                                "ansible_python_interpreter": "/usr/bin/python3",
                                "ansible_ssh_private_key_file": str(machine.key),
                                "ansible_ssh_common_args": " ".join(machine.ssh_arguments()[2:]),
                            }
                        }
                    }
                }
            )
        )

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_TIMEOUT": "60",  # seconds for sudo to answer on an emulated processor
            "ANSIBLE_LOCAL_TEMP": str(self.work / "local"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._logins),
        }

    def _program(self, name: str) -> str:
        return str(pathlib.Path(sys.executable).parent / name)

    def task(self, module: str, *options: str, check: bool = True, **arguments: t.Any) -> dict[str, t.Any]:
        """Run one ad-hoc task and return its result; a failed one raises."""
        tree = self.work / "tree"
        argv = [
            *(self._program("ansible"), "vm", "-i", str(self.inventory), "-m", module),
            *(("-a", json.dumps(arguments)) if arguments else ()),
            *("--tree", str(tree), *options),
        ]
        done = subprocess.run(
            argv, cwd=REPOSITORY, env=self._environment(), text=True, capture_output=True, check=False
        )
        written = tree / "vm"
        if not written.exists():
            raise AssertionError(f"ansible -m {module}: {done.stdout}\n{done.stderr}")
        result: dict[str, t.Any] = json.loads(written.read_text())
        written.unlink()
        if check and (done.returncode != 0 or result.get("failed")):
            raise AssertionError(
                f"ansible -m {module} {arguments}: {json.dumps(result, indent=1)}\n{done.stderr}"
            )
        return result

    def log_out(self) -> None:
        """End the logins that ssh keeps for the next task; wait until systemd has ended their sessions."""
        for socket in self._logins.iterdir():
            exit_command = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "vm"]
            subprocess.run(exit_command, check=True, capture_output=True)
        others = "systemctl list-units --no-legend 'session-*.scope' | grep -v session-$XDG_SESSION_ID."
        deadline = time.monotonic() + 60
        while self.machine.ssh(f"{others} || true"):
            if time.monotonic() > deadline:
                raise AssertionError("sessions do not end")
            time.sleep(0.5)

    def play(self, tasks: list[dict[str, t.Any]], *options: str, **play: t.Any) -> str:
        """Run a playbook made of `tasks` and return what it printed; any failure is an error."""
        book = self.work / "play.yml"
        book.write_text(json.dumps([{"hosts": "vm", "gather_facts": False, "tasks": tasks, **play}]))
        argv = [self._program("ansible-playbook"), "-i", str(self.inventory), str(book), *options]
        done = subprocess.run(
            argv, cwd=REPOSITORY, env=self._environment(), text=True, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise AssertionError(f"{done.stdout}\n{done.stderr}")
        return done.stdout


@pytest.fixture(scope="session", params=SUITES)
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Machine]:
    machine = Machine(build(request.param), tmp_path_factory.mktemp(f"vm-{request.param}"))
    try:
        machine.start()
        yield machine
    finally:
        machine.stop()


@pytest.fixture(scope="session")
def controller(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """The machine, prepared by role `host`, and the controller that talks to it."""
    controller = Controller(machine, tmp_path_factory.mktemp("controller"))
    controller.play([], roles=["coracle.engine.host"], gather_facts=True)
    return controller


@pytest.fixture(scope="session")
def host_address() -> str:
    """Where the machine reaches a server that listens on this host's loopback interface."""
    return HOST_ADDRESS
