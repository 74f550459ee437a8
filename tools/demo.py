# Copyright (c) The Coracle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: a web server in a container on this machine, from nothing, twice; then what was seen.

The port is chosen once and kept in .cache/demo-port, so that the second run, and the demo of another day, ask
for exactly the same container.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys

import packages
from environments import CACHE, ROOT, NoInterpreter, controller_environment

_PORT = CACHE / "demo-port"

_SEEN = """
What you just saw
  1. The role coracle.engine.host made this machine ready: crun, conmon, nft, catatonit, zstd; no daemon.
  2. A root file system of one program became the image quickstart:1.
  3. The container quickstart runs it under a small init, read-only, in 32 MiB of memory, with seccomp.
  4. Port {port} of this machine leads to it over a bridge, and another container found it there by its name.
  5. The same playbook again: changed=0. The container that was asked for is the container that runs.

What to type next
  PATH={programs}:$PATH
  curl http://127.0.0.1:{port}/
  {sudo}coracle ps
  ansible localhost {become}-m container_info -a name=quickstart
  ansible localhost {become}-m container -a 'name=quickstart state=stopped'
  ansible localhost {become}-m container -a 'name=quickstart state=started'
  make demo         heals what you broke, and says what it changed
  make demo-clean   leaves nothing but the packages
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--clean", action="store_true", help="remove everything that the demo made")
    clean = parser.parse_args().clean
    try:
        programs = controller_environment("core")
    except (NoInterpreter, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    playbook = [str(programs / "ansible-playbook"), *_become()]
    return _clean(playbook) if clean else _demonstrate(playbook, str(programs.relative_to(ROOT)))


def _demonstrate(playbook: list[str], programs: str) -> int:
    port = _choose_port()
    run = [*playbook, "playbooks/quickstart.yml", "--extra-vars", f"quickstart_port={port}"]
    print(f"\n=== first run: {' '.join(run[-3:])}\n", flush=True)
    short = {**os.environ, "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    if subprocess.run(run, cwd=ROOT, env=short, check=False).returncode:
        return 1
    print("\n=== second run: the same again", flush=True)
    quiet = {**short, "ANSIBLE_DISPLAY_OK_HOSTS": "false"}
    again = subprocess.run(run, cwd=ROOT, env=quiet, stdout=subprocess.PIPE, text=True, check=False)
    print(again.stdout, flush=True)
    if again.returncode or not re.search(r"changed=0 ", again.stdout):
        print("the second run should have changed nothing", file=sys.stderr)
        return 1
    become, sudo = ("-b ", "sudo ") if os.geteuid() else ("", "")
    print(_SEEN.format(programs=programs, port=port, become=become, sudo=sudo))
    return 0


def _clean(playbook: list[str]) -> int:
    _PORT.unlink(missing_ok=True)
    return subprocess.run([*playbook, "playbooks/quickstart_clean.yml"], cwd=ROOT, check=False).returncode


def _become() -> list[str]:
    """Options for ansible-playbook: ask for sudo's password only where it has one."""
    return [] if packages.as_root() is not None else ["--ask-become-pass"]


def _choose_port() -> int:
    """The port of the last time, else a free one, 8080 if possible."""
    if not _PORT.exists():
        _PORT.parent.mkdir(exist_ok=True)
        _PORT.write_text(str(_free_port()))
    return int(_PORT.read_text())


def _free_port() -> int:
    for wanted in (8080, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise OSError("no free port on 127.0.0.1")


if __name__ == "__main__":
    sys.exit(main())
