# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Remote hosts without machines: sshd in network, mount and pid namespaces of its own.

All hosts share one set of namespaces, each an sshd on an address of its own (127.0.1.1, 127.0.1.2, …) of the
namespace's loopback interface, each told apart by its state roots. Ansible runs inside the network namespace
and nowhere else, so no packet leaves it. An ordinary user with sudo exists only inside the mount namespace.
The first process of the pid namespace is an init; when it goes, the kernel ends everything that was ever
started on these hosts.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
USER = "coracle-admin"
USER_ID = 64321
SSH_OPTIONS = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"

SSHD_CONFIG = """
HostKey {work}/host_key
AuthorizedKeysFile {work}/key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 100:30:200
MaxSessions 100
Subsystem sftp internal-sftp
PidFile none
"""

# Runs as the init's child, before any login: gives the namespaces their loopback interface and their user.
PREPARE = """
set -eu
ip link set lo up
mount --make-rprivate /
cp --archive /etc {work}/etc
mount --bind {work}/etc /etc
echo '{user}:x:{uid}:{uid}::{work}/home:/bin/bash' >> /etc/passwd
echo '{user}:x:{uid}:' >> /etc/group
echo '{user}:*:19000:0:99999:7:::' >> /etc/shadow
echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{user}
chmod 0440 /etc/sudoers.d/{user}
mkdir -p /run/sshd {work}/home
chown {uid}:{uid} {work}/home
for address in {addresses}; do
    /usr/sbin/sshd -f {work}/sshd_config -o ListenAddress=$address:22 -E {work}/sshd.log
done
touch {work}/ready
exec sleep infinity
"""


class Hosts:
    """A running group of hosts. `ansible` and `playbook` run the real programs against them."""

    def __init__(self, work: pathlib.Path, count: int, init: subprocess.Popen[bytes]) -> None:
        self.work = work
        self.names = [f"host{number}" for number in range(1, count + 1)]
        self._init = init

    def inventory(self, **variables: t.Any) -> pathlib.Path:
        """Write an inventory of all hosts; `variables` apply to each."""
        hosts = {name: self._variables(number) for number, name in enumerate(self.names, 1)}
        path = self.work / "inventory.json"
        path.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
        return path

    def _variables(self, number: int) -> dict[str, t.Any]:
        return {
            "ansible_host": f"127.0.1.{number}",
            "ansible_ssh_private_key_file": str(self.work / "key"),
            "ansible_ssh_common_args": SSH_OPTIONS,
            "ansible_python_interpreter": "/usr/bin/python3",
            "coracle_root": str(self.work / "state" / f"host{number}"),
            "coracle_run_root": str(self.work / "run" / f"host{number}"),
        }

    def run(self, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of Ansible's programs on the controller's side of the network namespace."""
        program = str(pathlib.Path(sys.executable).parent / argv[0])
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self.namespace_pid}/ns/net", program, *argv[1:]],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
                "ANSIBLE_LOCAL_TEMP": str(self.work / "local"),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.work / "cp"),
                "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
                **environment,
            },
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def tasks(
        self,
        module: str,
        arguments: str,
        *options: str,
        variables: t.Mapping[str, t.Any] | None = None,
        **environment: str,
    ) -> dict[str, dict[str, t.Any]]:
        """Run one ad-hoc task on every host; host name → result. Arguments may use `{{ coracle_root }}`."""
        tree = self.work / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        inventory = self.inventory(**(variables or {}))
        done = self.run(
            *(
                "ansible",
                "all",
                "-i",
                str(inventory),
                "-m",
                module,
                "-a",
                arguments,
                "--tree",
                str(tree),
                *options,
            ),
            **environment,
        )
        results = (
            {path.name: json.loads(path.read_text()) for path in tree.glob("*")} if tree.exists() else {}
        )
        if set(results) != set(self.names):
            raise AssertionError(f"ansible -m {module}: {done.stdout}\n{done.stderr}")
        return results

    @property
    def namespace_pid(self) -> int:
        """Pid, seen from outside, of the first process in the namespaces."""
        children = pathlib.Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        return int(children[0])


@contextlib.contextmanager
def remote_hosts(work: pathlib.Path, count: int = 1) -> t.Iterator[Hosts]:
    """Start `count` hosts below the directory `work` and end everything on them afterwards."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / "host_key"], check=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / "key"], check=True)
    (work / "key.pub").chmod(0o644)
    (work / "sshd_config").write_text(SSHD_CONFIG.format(work=work))
    addresses = " ".join(f"127.0.1.{number}" for number in range(1, count + 1))
    script = PREPARE.format(work=work, user=USER, uid=USER_ID, addresses=addresses)
    with (work / "hosts.log").open("wb") as log:
        init = subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"),
                *("catatonit", "--", "sh", "-c", script),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_ready(work, init)
        yield Hosts(work, count, init)
    finally:
        init.send_signal(signal.SIGKILL)
        init.wait(timeout=30)


def _wait_until_ready(work: pathlib.Path, init: subprocess.Popen[bytes], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not (work / "ready").exists():
        if init.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the hosts did not start:\n{(work / 'hosts.log').read_text()}")
        time.sleep(0.05)
