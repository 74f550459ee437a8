# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make this machine a container host: packages, then the role `host`, as any user's playbook would.

Before it comes the question whether this machine can run containers at all. The kernel is asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

import packages
from environments import ROOT, NoInterpreter, controller_environment

_NAMESPACES = ("unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--mount-proc", "true")
_OVERLAY = """
mount -t tmpfs tmpfs "$1"
mkdir "$1/lower" "$1/upper" "$1/work" "$1/merged"
mount -t overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" overlay "$1/merged"
"""


def prepare_host() -> str:
    """Bring this machine into the state that the tests need. Returns why that failed, or an empty string."""
    return obstacle() or packages.install(packages.listed("tests/packages.txt")) or _apply_role()


def obstacle() -> str:
    """Why containers cannot run here, in words for a person; empty when they can."""
    root = packages.as_root()
    if root is None:
        return "neither root nor sudo without a password"
    if shutil.which("unshare") is None:
        return "the program unshare (util-linux) is missing"
    with tempfile.TemporaryDirectory(prefix="coracle-") as directory:
        probes = {
            "namespaces": _NAMESPACES,
            "overlay mounts": ("unshare", "--mount", "sh", "-ec", _OVERLAY, "sh", directory),
        }
        for what, probe in probes.items():
            done = subprocess.run([*root, *probe], capture_output=True, text=True, check=False)
            if done.returncode:
                return f"the kernel refuses {what}: {done.stderr.strip()}"
    return ""


def _apply_role() -> str:
    try:
        programs = controller_environment("test")
    except (NoInterpreter, RuntimeError) as error:
        return str(error)
    argv = [str(programs / "ansible-playbook"), "playbooks/host.yml"]
    environment = {**os.environ, "ANSIBLE_BECOME": "true"} if os.geteuid() else None
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return f"the role host failed:\n{done.stdout}{done.stderr}" if done.returncode else ""
