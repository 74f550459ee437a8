# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""crun, runc or another OCI runtime, one call per verb. The only file that knows their command line.

`create` is missing here: conmon calls it (conmon.py), so that it becomes the parent of the container.
Source: runtime-spec runtime.md, crun(1), runc(8).
"""

from __future__ import annotations

import json
import os
import re
import typing as t

from ..errors import RuntimeFailure
from ..linux.programs import Completed, find_program, run

if t.TYPE_CHECKING:
    from ..paths import Paths

_TIMEOUT = 60  # seconds; the longest of these calls takes a few hundredths of one
_RUNC_LINE = re.compile(r'^time="[^"]*" level=\w+ msg=("(?:[^"\\]|\\.)*")$')
_RUNC_PREFIXES = (
    "runc create failed: ",
    "runc start failed: ",
    "unable to start container process: ",
    "error during container init: ",
)
_NO_RUNTIME_THERE = "name a program that is there, or leave `runtime` out for crun"
NOT_FOUND, NOT_EXECUTABLE = 127, 126
_CODES = (
    (r"not found in \$PATH|executable file|stat .*no such file|exec:? .*[Nn]o such file", NOT_FOUND),
    (r"[Pp]ermission denied|not permitted|[Ee]xec format|is a directory", NOT_EXECUTABLE),
)
_HINTS = (
    (
        r"executable file .*not found|not found in \$PATH|exec: .*no such file",
        "`command` or `entrypoint` names a program that the image does not have, or that a mount hides",
    ),
    (
        r"[Pp]ermission denied",
        "the program must be executable in the image; look at `user`, `security_opts` and its mode",
    ),
    (
        r"cannot set limits without",
        "this host's control groups lack that controller; the role coracle.engine.host tells",
    ),
)


class OciRuntime(t.NamedTuple):
    """`program` is an absolute path; `state_directory` is where it keeps what it knows of its containers."""

    program: str
    state_directory: str

    @property
    def global_arguments(self) -> list[str]:
        """Before the sub-command. Groups are always files in /sys/fs/cgroup, never systemd scopes: no D-Bus
        needed.
        """
        arguments = [f"--root={self.state_directory}"]
        if os.path.basename(self.program).startswith("crun"):
            arguments.append("--cgroup-manager=cgroupfs")
        return arguments

    def start(self, container_id: str) -> None:
        self._call("start", container_id)

    def pause(self, container_id: str) -> None:
        self._call("pause", container_id)

    def resume(self, container_id: str) -> None:
        self._call("resume", container_id)

    def update(self, container_id: str, resources: dict[str, t.Any]) -> None:
        """`resources`: the `linux.resources` object of the runtime spec; what it does not name stays."""
        document = json.dumps(resources).encode()
        self._call("update", "--resources=/dev/stdin", container_id, document=document)

    def exec_command(self, container_id: str, directory: str) -> list[str]:
        """The command line for one more program, which `process.json` in the directory describes. `pid` will
        be there when it has begun, its PID on the host; `oci-log` is the runtime's own.
        """
        return [
            self.program,
            *self.global_arguments,
            "--log-format=json",
            f"--log={os.path.join(directory, 'oci-log')}",
            "exec",
            f"--process={os.path.join(directory, 'process.json')}",
            f"--pid-file={os.path.join(directory, 'pid')}",
            container_id,
        ]

    def delete(self, container_id: str) -> None:
        """Kill what is left and forget the container; fine if it is not known."""
        if self.knows(container_id):
            completed = self._run("delete", "--force", container_id)
            if self.knows(container_id):
                raise failure_from(f"{self._name} delete", _error_text(completed))

    def knows(self, container_id: str) -> bool:
        return os.path.exists(os.path.join(self.state_directory, container_id))

    @property
    def _name(self) -> str:
        return os.path.basename(self.program)

    def _call(self, verb: str, *arguments: str, document: bytes | None = None) -> None:
        completed = self._run(verb, *arguments, document=document)
        if completed.returncode != 0:
            raise failure_from(f"{self._name} {verb}", _error_text(completed))

    def _run(self, verb: str, *arguments: str, document: bytes | None = None) -> Completed:
        argv = [self.program, *self.global_arguments, verb, *arguments]
        return run(argv, input=document, timeout=_TIMEOUT, check=False, name=f"{self._name} {verb}")


def find_runtime(paths: Paths, name: str) -> OciRuntime:
    """The runtime that a container asked for, or the engine's default: `crun`, `runc` or an absolute path."""
    hint = (_NO_RUNTIME_THERE,) if "/" in name else ()
    return OciRuntime(find_program(name, *hint), paths.oci_runtime)


def failure_from(phrase: str, text: str) -> RuntimeFailure:
    """What a runtime said, with a remedy where we know one."""
    hint = next((remedy for pattern, remedy in _HINTS if re.search(pattern, text)), "")
    return RuntimeFailure(f"{phrase}: {text}", hint)


def shell_code(text: str) -> int | None:
    """The exit code that a shell, and Docker, give for what a runtime said: 127 where the program is missing,
    126 where it cannot be run; None where it is not about the program.
    """
    return next((code for pattern, code in _CODES if re.search(pattern, text)), None)


def message_from_log(content: bytes) -> str:
    """The last error in a runtime's `--log-format=json` log, or empty: one JSON object a line."""
    for line in reversed(content.splitlines()):
        try:
            entry = json.loads(line)
            if entry.get("level") in ("error", "fatal"):
                return clean(str(entry["msg"]))
        except (ValueError, KeyError, AttributeError):
            continue
    return ""


def clean(text: str) -> str:
    """A runtime's words in one line, without time stamps and the names of its own functions."""
    line = "; ".join(dict.fromkeys(_unwrapped(part.strip()) for part in text.splitlines() if part.strip()))
    for prefix in _RUNC_PREFIXES:
        line = line.replace(prefix, "")
    return "".join(char if char.isprintable() else "?" for char in line)


def _unwrapped(line: str) -> str:
    match = _RUNC_LINE.match(line)
    if not match:
        return line
    message = str(json.loads(match[1]))
    return next((message[len(prefix) :] for prefix in _RUNC_PREFIXES if message.startswith(prefix)), message)


def _error_text(completed: Completed) -> str:
    text = clean(completed.stderr.decode("utf-8", "replace"))
    return text or f"ended with code {completed.returncode} and said nothing"
