# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The installed command as a person uses it: run it and read what it says, or sit before it at a terminal."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.install_agent import (
    install_agent,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

PATIENCE = 30.0


class Answer(t.NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Shore:
    """`coracle("ps", "-a")` is what it printed; it has to end well. `run` takes any end."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        with Engine(paths) as engine:
            engine.make()
            install_agent(engine)
        self.program = os.path.join(paths.agent, "coracle")

    def __call__(self, *arguments: str, **options: t.Any) -> str:
        answer = self.run(*arguments, **options)
        assert answer.code == 0, answer
        return answer.out

    def run(self, *arguments: str, stdin: str = "", timeout: float = 60.0) -> Answer:
        done = subprocess.run(
            [self.program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str) -> t.Any:
        return json.loads(self(*arguments, "--json"))

    def refused(self, *arguments: str, code: int = 1) -> str:
        """What it says on standard error when it does not do it."""
        answer = self.run(*arguments)
        assert answer.code == code, answer
        return answer.err

    def at_terminal(self, *arguments: str, rows: int = 24, columns: int = 80) -> Terminal:
        return Terminal([self.program, *arguments], rows, columns)


class Terminal:
    """A program at a pseudo-terminal of its own: type, wait for text, resize, see how it ended."""

    def __init__(
        self,
        argv: list[str],
        rows: int = 24,
        columns: int = 80,
        environment: t.Mapping[str, str] | None = None,
    ) -> None:
        self.text = ""
        self._seen = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, {**(environment or os.environ), "TERM": "xterm"})
        self.resize(rows, columns)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self.fd, data) :]

    def settings(self) -> list[t.Any]:
        return termios.tcgetattr(self.fd)

    def wait_until_raw(self, patience: float = PATIENCE) -> None:
        """Until the program reads keys as they are typed."""
        deadline = time.monotonic() + patience
        while self.settings()[3] & termios.ICANON:
            assert time.monotonic() < deadline, f"still in lines: {self.text!r}"
            time.sleep(0.01)

    def listen(self) -> None:
        """Take what it has to say at the moment, so that it is not kept from going on."""
        self.text += self._receive(0) or ""

    def wait_for(self, text: str, patience: float = PATIENCE) -> str:
        """What was shown since the last call, up to and including `text`."""
        deadline = time.monotonic() + patience
        while text not in self.text[self._seen :]:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in {self.text[self._seen :]!r}"
            said = self._receive(left)
            assert said is not None, f"it ended without {text!r}: {self.text[self._seen :]!r}"
            self.text += said
        end = self.text.index(text, self._seen) + len(text)
        shown, self._seen = self.text[self._seen : end], end
        return shown

    def end(self, patience: float = PATIENCE) -> int:
        """The exit code, when everything it said has been read; it may say much, but not fall silent."""
        said = []
        while True:
            data = self._receive(patience)
            if data is None:
                break
            assert data, f"it does not end: {(self.text + ''.join(said))[-1000:]!r}"
            said.append(data)
        self.text += "".join(said)
        _pid, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _receive(self, patience: float) -> str | None:
        """What it says next: nothing in `patience` seconds is empty, None is the end."""
        deadline = time.monotonic() + patience
        while True:
            left = max(0.0, deadline - time.monotonic())
            ready, _writable, _wrong = select.select([self.fd], [], [], left)
            if not ready:
                return ""
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:  # EIO: nobody has the other side open any more
                return None
            text = self._decoder.decode(data)
            if text or not data:
                return text or None
