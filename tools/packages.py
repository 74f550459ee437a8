# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages: what is missing, and how to get it with as little trace as possible."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import typing as t

# A test brings its own registry and its own sshd: a package must not leave one listening on this machine.
_SERVICES = {"docker-registry": "docker-registry.service", "openssh-server": "ssh.service"}
_POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def missing(names: t.Iterable[str]) -> list[str]:
    """Those of `names` that dpkg does not know as installed (all of them where there is no dpkg)."""
    if shutil.which("dpkg-query") is None:
        return list(names)
    asked = list(names)
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\\n", *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    installed = {line.split()[1] for line in answer.stdout.splitlines() if line.startswith("installed ")}
    return [name for name in asked if name not in installed]


def listed(file: str) -> list[str]:
    """The names in a file of the repository, one a line."""
    return (pathlib.Path(__file__).resolve().parent.parent / file).read_text().split()


def as_root() -> list[str] | None:
    """The words that make a command run as root: none, `sudo -n`, or None when neither works."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def install(names: t.Iterable[str]) -> str:
    """Install what is missing of `names`. Returns why that cannot be done, or an empty string."""
    wanted = missing(names)
    if not wanted:
        return ""
    root = as_root()
    if shutil.which("apt-get") is None:
        return "there is no apt-get here to install " + " ".join(wanted)
    if root is None:
        return f"neither root nor sudo to run: apt-get install {' '.join(wanted)}"
    print("installing packages:", " ".join(wanted), flush=True)
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    with _services_held_back(root, wanted):
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *wanted]):
            done = subprocess.run([*apt, *words], capture_output=True, text=True, check=False)
            if done.returncode and words[0] == "install":
                return f"apt-get install failed: {done.stderr.strip()[-2000:]}"
    return ""


@contextlib.contextmanager
def _services_held_back(root: list[str], names: list[str]) -> t.Iterator[None]:
    """No service starts while packages install; those of the test tools do not start at boot either."""
    hold = os.geteuid() == 0 and not _POLICY.exists()
    if hold:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if hold:
            _POLICY.unlink()
        services = [_SERVICES[name] for name in names if name in _SERVICES]
        if services and os.path.isdir("/run/systemd/system"):
            subprocess.run(
                [*root, "systemctl", "disable", "--now", *services], capture_output=True, check=False
            )
