# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One more program in a container: confined as the first one, bounded, and gone when it has to be."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import threading
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.exec_process import ExecRequest
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import cgroup_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    NotFound,
    RuntimeFailure,
    TimedOut,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.exec_in_container import (
    ExecResult,
    exec_detached,
    exec_in_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pause_container import (
    pause_container,
    resume_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.stop_container import (
    stop_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

RUNTIMES = pytest.mark.parametrize("runtime", ["crun", "runc"])
SLEEP = ("sleep", "1000")
# What has to be the same, and what of the limits and the groups.
CONFINEMENT = r"^(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp|Seccomp_filters|Speculation\w+|Umask)"
LOOK = f"grep -E '{CONFINEMENT}' /proc/$1/status; cat /proc/$1/limits /proc/$1/cgroup /proc/$1/oom_score_adj"


def execute(harbour: Harbour, *arguments: str, **options: t.Any) -> ExecResult:
    request = {name: options.pop(name) for name in ExecRequest._fields if name in options}
    return exec_in_container(
        harbour.engine, options.pop("name", "web"), ExecRequest(arguments, **request), **options
    )


def sessions(harbour: Harbour) -> list[pathlib.Path]:
    return list(pathlib.Path(harbour.paths.run_root).glob("containers/*/*/exec/*"))


@RUNTIMES
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"user": "app"},
        {"user": "app", "groups": ["33"]},
        {"cap_drop": ["ALL"], "capabilities": ["CHOWN", "NET_RAW"]},
        {"user": "33:33", "capabilities": ["SYS_PTRACE"], "security_opts": ["no-new-privileges"]},
        {"privileged": True},
        {"security_opts": ["seccomp=unconfined"], "oom_score_adj": 300},
        # Not open files, whose soft limit runc may raise to the hard one: opencontainers/runc#4195.
        {"ulimits": [{"name": "core", "soft": 64, "hard": 128}], "init": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("tty", [False, True])
def test_confined_as_the_first_one(
    harbour: Harbour, config: dict[str, t.Any], tty: bool, runtime: str
) -> None:
    """The container's program looks at itself, and the one that is executed at itself."""
    looking = f"look() {{ {LOOK}; }}; look self"
    harbour.start("web", "sh", "-c", f"{looking} > /tmp/first; exec sleep 1000", runtime=runtime, **config)
    wait_until(lambda: execute(harbour, "cat", "/tmp/first").stdout, lambda text: text.count(b"\n") > 25)
    first = execute(harbour, "cat", "/tmp/first", user="0").stdout
    pause = "sleep 0.3; " if tty else ""  # on a terminal the OOM score is set when the program runs already
    second = execute(harbour, "sh", "-c", pause + looking, tty=tty).stdout.replace(b"\r", b"")
    assert second.decode() == first.decode()
    assert b"CapEff" in second
    assert harbour.record("web").id.encode() in second


def test_user_is_resolved_in_the_container_as_it_is_now(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP, groups=["4"])
    execute(
        harbour,
        "sh",
        "-c",
        "echo new:x:777:778::/srv:/bin/sh >> /etc/passwd; echo ops:x:900:new >> /etc/group",
    )
    assert execute(harbour, "id", user="new").stdout == b"uid=777(new) gid=778 groups=4(adm),778,900(ops)\n"
    assert execute(harbour, "sh", "-c", "echo $HOME", user="new").stdout == b"/srv\n"
    assert execute(harbour, "id", "-u", user="1").stdout == b"1\n"
    assert execute(harbour, "id", "-G", user="1:2000").stdout == b"2000 4\n"
    with pytest.raises(NotFound, match="user nobody2: it is not in /etc/passwd"):
        execute(harbour, "id", user="nobody2")


def test_a_hostile_passwd_is_not_waited_for(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP)
    execute(harbour, "sh", "-c", "rm /etc/passwd; mkfifo /etc/passwd")
    begun = time.monotonic()
    with pytest.raises(Exception, match="not a regular file"):
        execute(harbour, "id", user="app")
    assert time.monotonic() - begun < 5


@RUNTIMES
def test_exit_codes_and_refusals(harbour: Harbour, runtime: str) -> None:
    harbour.start("web", *SLEEP, runtime=runtime)
    assert execute(harbour, "sh", "-c", "exit 42").code == 42
    assert execute(harbour, "sh", "-c", "kill -9 $$").code == 137
    assert execute(harbour, "sh", "-c", "exit 42", tty=True).code == 42
    for tty in (False, True):
        with pytest.raises(NotFound, match="the container has no program nope") as missing:
            execute(harbour, "nope", tty=tty)
        with pytest.raises(RuntimeFailure, match=r"/etc/passwd cannot be run: .*denied") as forbidden:
            execute(harbour, "/etc/passwd", tty=tty)
        with pytest.raises(NotFound, match="working directory /nope: No such file") as nowhere:
            execute(harbour, "pwd", working_dir="/nope", tty=tty)
        codes = [error.value.facts["rc"] for error in (missing, forbidden, nowhere)]
        assert codes == [127, 126, 127]
    with pytest.raises(NotFound, match="the container has no program nope"):
        exec_detached(harbour.engine, "web", ExecRequest(["nope"]))
    wait_until(lambda: sessions(harbour), lambda found: found == [])


def test_working_directories_do_not_lead_out(harbour: Harbour) -> None:
    """The doors to the files of the host (CVE-2024-21626)."""
    harbour.start("web", *SLEEP)
    execute(
        harbour, "sh", "-c", "ln -s /proc/self/fd/7 /door; ln -s /proc/1/root /self; ln -s /home/app /fine"
    )
    assert execute(harbour, "pwd", working_dir="/fine").stdout == b"/home/app\n"
    for place in ("/door", "/self", "/proc/1/cwd", "/proc/self/fd/3"):
        with pytest.raises(NotFound, match=f"working directory {place}"):
            execute(harbour, "pwd", working_dir=place)


def test_only_in_containers_that_run(harbour: Harbour) -> None:
    harbour.create("web", *SLEEP)
    with pytest.raises(Conflict, match="container web is not running"):
        execute(harbour, "id")
    harbour.start("web")
    pause_container(harbour.engine, "web")
    with pytest.raises(Conflict, match="container web is paused"):
        execute(harbour, "id")
    resume_container(harbour.engine, "web")
    stop_container(harbour.engine, "web", timeout=0)
    with pytest.raises(Conflict, match="container web is not running"):
        exec_detached(harbour.engine, "web", ExecRequest(["id"]))
    with pytest.raises(NotFound, match="there is no container other"):
        execute(harbour, "id", name="other")


def test_output_is_bounded_and_input_whole(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP)
    flood = execute(harbour, "sh", "-c", "yes | head -c 50000000; echo end >&2", max_output=1000)
    assert (flood.code, len(flood.stdout), flood.truncated) == (0, 1000, True)
    assert flood.stderr == b"end\n"
    content = bytes(range(256)) * 20000
    back = execute(harbour, "cat", input=content)
    assert back.stdout == content
    assert not back.truncated


@RUNTIMES
@pytest.mark.parametrize("tty", [False, True])
def test_timeout_kills_the_session(harbour: Harbour, tty: bool, runtime: str) -> None:
    """With its children in the background; what has begun a session of its own goes on."""
    harbour.start("web", *SLEEP, runtime=runtime)
    line = "echo begun; setsid sleep 501 & sleep 502 & sleep 503 | sleep 504"
    with pytest.raises(TimedOut, match=r"sh did not finish in .* and was killed") as late:
        execute(harbour, "sh", "-c", line, timeout=3.0, tty=tty)
    assert late.value.facts["rc"] == 124
    assert late.value.facts["stdout"].strip() == "begun"
    text = execute(harbour, "ps", "-o", "args").stdout.decode()
    assert [line for line in text.splitlines() if line.startswith("sleep 50")] == ["sleep 501"]


def test_detached_sessions_end_with_their_program(harbour: Harbour) -> None:
    harbour.start("web", *SLEEP)
    exec_detached(harbour.engine, "web", ExecRequest(["sh", "-c", "sleep 0.5; touch /tmp/done"]))
    exec_detached(harbour.engine, "web", ExecRequest(["sh", "-c", "tty > /tmp/tty; sleep 0.5"], tty=True))
    assert len(sessions(harbour)) == 2
    wait_until(lambda: sessions(harbour), lambda found: found == [])
    assert execute(harbour, "cat", "/tmp/tty").stdout == b"/dev/pts/0\n"
    assert execute(harbour, "ls", "/tmp/done").code == 0


def test_detached_sessions_end_with_the_container(harbour: Harbour) -> None:
    record = harbour.start("web", *SLEEP)
    for tty in (False, True, False):
        exec_detached(harbour.engine, "web", ExecRequest(["sleep", "2000"], tty=tty))
    group = cgroup_of(harbour.paths, record.id)
    assert len(cgroups.processes(group)) == 4
    stop_container(harbour.engine, "web", timeout=0)
    assert sessions(harbour) == []
    assert cgroups.processes(group) == []


def test_killed_while_it_waits(harbour: Harbour) -> None:
    """Whoever waited is killed, at different moments; the next one finds a container in order."""
    harbour.start("web", *SLEEP)
    code = "load('operations.exec_in_container').exec_in_container(engine, 'web', "
    code += "load('container.exec_process').ExecRequest(['cat'], tty=arguments[0] == 'tty'), input=b'x' * 99)"
    code = "print('ready', flush=True)\n" + code
    for number in range(8):
        argv = harbour.python(code, "tty" if number % 2 else "pipes")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.02 * number)
            process.send_signal(signal.SIGKILL)
    assert execute(harbour, "echo", "well").stdout == b"well\n"
    assert not [place for place in sessions(harbour) if place.name.startswith("direct-")]
    assert harbour.status("web").status == "running"


def test_the_container_ends_while_many_execute(harbour: Harbour) -> None:
    """Each of them has either run or is told why not; nobody hangs, and nothing is left."""
    harbour.start("web", *SLEEP)
    outcomes: list[str] = []

    def keep_executing(number: int) -> None:
        end = time.monotonic() + 4
        with Harbour(harbour.paths) as own:
            while time.monotonic() < end:
                try:
                    if number % 3:
                        code = execute(own, "sh", "-c", "sleep 0.05; exit 4", tty=number % 3 == 2).code
                        outcomes.append(str(code))
                    else:
                        exec_detached(own.engine, "web", ExecRequest(["sleep", "1000"]))
                except (Conflict, RuntimeFailure, NotFound) as error:
                    outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=keep_executing, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for _round in range(4):
        time.sleep(0.5)
        stop_container(harbour.engine, "web", timeout=0)
        assert sessions(harbour) == []
        harbour.start("web")
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert "4" in outcomes
    assert "Conflict" in outcomes
    assert set(outcomes) <= {"4", "137", "255", "Conflict", "RuntimeFailure", "NotFound"}
