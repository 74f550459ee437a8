# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Console blocks of a document, done again: what they show has to come out.

    # coracle ps -a                        typed on the host, by a shell; what follows is its output
    $ ansible localhost -m … -a '…'        typed on the controller; its output has what is shown
    / # echo hello                         typed into the container that the command before has put us into
    / # [Ctrl-P Ctrl-Q]                    the keys
    ^C                                     after what stands above it has been seen
    …                                      any lines

Ids, times, sizes and other numbers that differ each time are compared by their shape.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import typing as t

from ansible_collections.coracle.engine.tests.integration.command.shore import Shore, Terminal

REGISTRY = "127.0.0.1:5000"
"""What documents write for the registry of a test."""

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
_TYPED = re.compile(r"^([#$]) (.*)$")
_PROMPT = re.compile(r"^(/\S* # |.*\[y/N\] )(.*)$")
_KEYS = {"[Ctrl-P Ctrl-Q]": "\x10\x11", "^C": "\x03"}
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CHANGING = (
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<short id>"),
    (r"\b(Less than a second|About an? (minute|hour)|\d+ (second|minute|hour|day)s?)\b", "<time>"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<moment>"),
    (r"\w{3} \w{3} +\d+ [\d:]{8} UTC \d{4}", "<date>"),
    (r"\b\d\d:\d\d(:\d\d)?\b", "<clock>"),
    (r"\b[\d.]+(e[+]\d+)?([kKMGT]i?)?B\b", "<size>"),
    (r"\b[\d.]+%", "<part>"),
    (r"(?<![(\w.:])\d{3,}(?![)\w.:])", "<number>"),
    (r"seq=\d+ ttl=\d+ time=[\d.]+ ms", "seq=… ttl=… time=…"),
    (r"[ \t]+", " "),
)


class Step(t.NamedTuple):
    """`by`: `#` for the host, `$` for the controller. `shown`: what the document says came out."""

    by: str
    command: str
    shown: list[str]

    @property
    def is_conversation(self) -> bool:
        """Does it need a terminal?"""
        asks = any(_PROMPT.match(line) or line in _KEYS for line in self.shown)
        return asks or bool(re.search(r" -it | attach ", self.command))


def read_tour(text: str) -> list[Step]:
    steps: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        typed = False
        for line in block.splitlines():
            match = _TYPED.match(line)
            if typed and steps[-1].command.endswith("\\"):
                steps[-1] = steps[-1]._replace(command=f"{steps[-1].command[:-1].rstrip()} {line.strip()}")
            elif match:
                steps.append(Step(match[1], match[2], []))
                typed = True
            elif line.strip():
                steps[-1].shown.append(line.rstrip())
    return steps


class Guide:
    """Does the steps, on the host and as the controller of one engine."""

    def __init__(self, coracle: Shore, work: pathlib.Path, registry: str) -> None:
        self._shore = coracle
        self._work = work
        self._registry = registry
        programs = work / "bin"
        programs.mkdir()
        (programs / "coracle").symlink_to(coracle.program)
        self._environment = {
            **os.environ,
            "PATH": f"{programs}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(_REPOSITORY / "ansible.cfg"),
            "ANSIBLE_HOME": str(work / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
        }
        (work / "home").mkdir()

    def take(self, step: Step) -> list[str]:
        """What comes out, line by line."""
        step = step._replace(command=step.command.replace(REGISTRY, self._registry))
        if step.is_conversation:
            return self._converse(step)
        command = step.command if step.by == "#" else self._for_this_engine(step.command)
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self._work / "home" if step.by == "#" else _REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return self._lines(done.stdout)

    def _for_this_engine(self, command: str) -> str:
        root, run_root = self._shore.paths
        roots = f"-a 'root={root} run_root={run_root} "
        if "-a '{" in command:
            command = command.replace("-a '{", f"""-a '{{"root": "{root}", "run_root": "{run_root}", """, 1)
        else:
            command = command.replace("-a '", roots, 1)
        return f"{command} -e ansible_python_interpreter=/usr/bin/python3"

    def _converse(self, step: Step) -> list[str]:
        argv = ["/usr/bin/env", "-C", str(self._work / "home"), "sh", "-c", step.command]
        with Terminal(argv, environment=self._environment) as terminal:
            seen = ""
            for line in step.shown:
                prompt = _PROMPT.match(line)
                if prompt:
                    # A shell that is attached to may have shown its prompt twice: an answer comes first.
                    while _shape(seen) not in map(_shape, ["", *self._lines(terminal.text)]):
                        terminal.wait_for("\n")
                    terminal.wait_for(prompt[1])
                    terminal.type(_KEYS.get(prompt[2], f"{prompt[2]}\n"))
                elif line in _KEYS:
                    while _shape(seen) not in map(_shape, self._lines(terminal.text)):
                        terminal.wait_for("\n")
                    terminal.type(_KEYS[line])
                else:
                    seen = line
            terminal.end()
            return self._lines(terminal.text)

    def _lines(self, text: str) -> list[str]:
        text = _ESCAPES.sub(
            "", text.replace("\r\n", "\n").replace("\r", "\n").replace(self._registry, REGISTRY)
        )
        return [line.rstrip() for line in text.splitlines() if line.strip()]


def differs(step: Step, came: list[str]) -> str:
    """What is shown and did not come, or the other way round; empty if the document is right."""
    shown = [_shape(line) for line in step.shown]
    lines = [_shape(line) for line in came]
    if step.is_conversation:
        shown = [line for line in shown if not any(key in line for key in _KEYS)]
        return _missing(shown, lines)
    if step.by == "$" or "…" in shown:
        return _missing(shown, lines)
    return "" if shown == lines else f"shown:\n{_text(shown)}\ncame:\n{_text(lines)}"


def _missing(shown: t.Iterable[str], lines: list[str]) -> str:
    """The lines have to be there in this order; others may be between them."""
    rest = iter(lines)
    for line in shown:
        if line.strip() != "…" and not any(line == other for other in rest):
            return f"{line!r} did not come:\n{_text(lines)}"
    return ""


def _shape(line: str) -> str:
    for pattern, replacement in _CHANGING:
        line = re.sub(pattern, replacement, line)
    return line.strip()


def _text(lines: t.Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
