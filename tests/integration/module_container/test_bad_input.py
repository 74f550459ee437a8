# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What cannot be understood changes nothing and is told in one sentence: object, cause, remedy."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target, Task

BAD: dict[str, dict[str, t.Any]] = {
    "memory: 'lots' is not a size": {"memory": "lots"},
    "memory: '1m' is too little": {"memory": "1m"},
    "memory_swap limits memory and swap together and needs memory": {"memory_swap": "1g"},
    "stop_signal: 'SIGFOO' is not a signal": {"stop_signal": "SIGFOO"},
    "kill_signal: '99' is not a signal": {"kill_signal": "99", "force_kill": True, "state": "stopped"},
    "kill_signal needs force_kill: true": {"kill_signal": "9", "state": "stopped"},
    "user: 'a:b:c' is not a user": {"user": "a:b:c"},
    "name: 'no name' is not a container name": {"name": "no name"},
    "name: '' is not a container name": {"name": ""},
    "image name 'UPPER'": {"image": "UPPER"},
    "env: the value of A is a boolean, not a string": {"env": {"A": True}},
    "volumes: './relative:/x'": {"volumes": ["./relative:/x"]},
    "volumes: '/a:/b:nonsense' has the unknown mode 'nonsense'": {"volumes": ["/a:/b:nonsense"]},
    "capabilities: 'CAP_NOTHING' is not a capability": {"capabilities": ["CAP_NOTHING"]},
    "restart_policy: 'sometimes' is not a restart policy": {"restart_policy": "sometimes"},
    "auto_remove removes what the restart policy always would start again": {
        "auto_remove": True,
        "restart_policy": "always",
    },
    "cpus and cpu_quota set the same limit": {"cpus": 1, "cpu_quota": 50000},
    "ulimits: 'nofile' is not a limit": {"ulimits": ["nofile"]},
    "paused: true needs state: started": {"paused": True, "state": "stopped"},
    "cleanup: true needs detach: false": {"cleanup": True},
    "recreate: true needs image": {"recreate": True, "image": None},
    "container web does not exist (give image to have it created)": {"image": None},
    "env_file: there is no file /no/such/file (it is read on the target": {"env_file": "/no/such/file"},
    "env_file: /etc is not a regular file": {"env_file": "/etc"},
    "pids_limit: -5 is not between 1 and 4194304 (0 and -1 mean no limit)": {"pids_limit": -5},
    "stop_timeout: -1 is less than 0": {"stop_timeout": -1},
    "mounts[0]: tmpfs_mode: '9999' is not a mode (write it in octal": {
        "mounts": [{"type": "tmpfs", "target": "/x", "tmpfs_mode": "9999"}]
    },
    "value of state must be one of": {"state": "running"},
    "docker_url: there is no daemon to reach (run the task on": {
        "docker_url": "tcp://dock:2375",
        "memroy": "1g",
    },
    "kernel_memory: Linux has no such limit any more (use memory": {"kernel_memory": "1g"},
    "mounts: type npipe: named pipes are of Windows": {"mounts": [{"type": "npipe", "target": "/x"}]},
    "container web: volume_driver: rexray cannot be: there are no plugins": {"volume_driver": "rexray"},
    "command_handling: compatibility cannot be: a list stays a list": {"command_handling": "compatibility"},
    "Unsupported parameters for": {"memroy": "1g"},
}


def test_bad_input_changes_nothing(bare_target: Target) -> None:
    tasks = [bare_target.container(**{"image": bare_target.image, **options}) for options in BAD.values()]
    for expected, result in zip(BAD, bare_target.run(*tasks)):
        assert result.get("failed"), expected
        assert expected in result["msg"], result["msg"]
        assert "\n" not in result["msg"]
    assert not os.path.exists(bare_target.paths.root)
    assert not os.path.exists(bare_target.paths.run_root)


def test_roots_that_cannot_be(bare_target: Target) -> None:
    task = bare_target.info()
    module = "coracle.engine.container_info"
    relative, same, unprivileged = bare_target.run(
        {**task, module: {**task[module], "root": "relative"}},
        {**task, module: {**task[module], "run_root": f"{bare_target.paths.root}//"}},
        {**task, "become": True, "become_user": "nobody"},
    )
    assert relative["msg"] == "root: 'relative' is not an absolute path"
    assert same["msg"].startswith("root and run_root are the same directory")
    assert unprivileged["msg"] == "coracle.engine needs root on the target (set become: true)"


def test_two_engines_do_not_share_half_of_what_is_theirs(target: Target, tmp_path: pathlib.Path) -> None:
    """Looking, predicting and doing are refused alike, and nothing is made."""
    target.make("present")
    strange_root, strange_run = f"{tmp_path}/root", f"{tmp_path}/run"
    own = {"coracle.engine.container_info": {"root": target.paths.root, "run_root": target.paths.run_root}}

    def elsewhere(**roots: str) -> list[Task]:
        tasks = [target.info(), target.container(image=target.image)]
        tasks.append({**tasks[1], "check_mode": True})
        return [
            {name: {**value, **roots} if "." in name else value for name, value in task.items()}
            for task in tasks
        ]

    *refused, mine = target.run(*elsewhere(root=strange_root), *elsewhere(run_root=strange_run), own)
    for result in refused[:3]:
        assert result["msg"] == (
            f"run_root: {target.paths.run_root} belongs to the engine with root {target.paths.root}"
            f" (give root {strange_root} a run_root of its own, or use root: {target.paths.root})"
        )
    for result in refused[3:]:
        assert result["msg"].startswith(
            f"root: the engine in {target.paths.root} runs with run_root {target.paths.run_root}, not"
        )
    assert not os.path.exists(strange_root)
    assert not os.path.exists(strange_run)
    assert [found["Name"] for found in mine["containers"]] == ["/web"]


SLEEP: dict[str, t.Any] = {"command": ["sleep", "1000"], "stop_timeout": 0}

REFUSED: dict[str, dict[str, t.Any]] = {
    "cpuset_cpus: '4095' names 4095, and the processors of this host are ": {"cpuset_cpus": "4095"},
    "cpuset_mems: '1023' names 1023, and the memory nodes of this host are 0": {"cpuset_mems": "1023"},
    "volumes: /etc/hostname is a file, and /etc of the container is a directory (name the file in the "
    "target, too: /etc/hostname)": {"volumes": ["/etc/hostname:/etc"]},
    "volumes: /etc is a directory, and /etc/passwd of the container is a file": {
        "volumes": ["/etc:/etc/passwd"]
    },
    "command: /run/x is hidden by the tmpfs on /run, which is empty at the start": {
        "tmpfs": ["/run"],
        "command": "/run/x",
    },
    "unable to find user nobody-of-that-name: it is not in /etc/passwd of the image": {
        "user": "nobody-of-that-name"
    },
    "unable to find group no-such-group: it is not in /etc/group of the image": {"groups": ["no-such-group"]},
    "working_dir: /etc/passwd of the image is not a directory": {"working_dir": "/etc/passwd"},
    "device_read_bps: /dev/null is not a block device": {
        "device_read_bps": [{"path": "/dev/null", "rate": "1m"}]
    },
    "ulimits: this host gives at most nofile=": {"ulimits": ["nofile:4294967296:4294967296"]},
    "apparmor=no-such-profile: ": {"security_opts": ["apparmor=no-such-profile"]},
    "timezone: this host knows no zone Atlantis/Capital": {"timezone": "Atlantis/Capital"},
}
"""What only the host and the image can tell, by what is said about it."""

LACKING: dict[str, dict[str, t.Any]] = {
    "devices: /dev/no-such-device is not on this host": {"devices": ["/dev/no-such-device"]},
    "security_opts: seccomp: there is no file /nope": {"security_opts": ["seccomp=/nope"]},
    "pid_mode: there is no container nobody": {"pid_mode": "container:nobody"},
    "ipc_mode: there is no container nobody": {"ipc_mode": "container:nobody"},
    "mounts: /nope does not exist": {
        "mounts": [{"type": "bind", "source": "/nope", "target": "/x", "create_mountpoint": False}]
    },
}
"""The same, where a task before this one may bring what is not there."""

TOLD_LATE: dict[str, dict[str, t.Any]] = {
    "/bin/nope is not a program on this host (name a program that is there, or leave `runtime` out": {
        "runtime": "/bin/nope"
    },
    "the kernel does not accept it as tmpfs with o: foo=bar (correct the option o": {
        "mounts": [
            {
                "type": "volume",
                "target": "/data",
                "source": "odd",
                "volume_options": {"type": "tmpfs", "device": "tmpfs", "o": "foo=bar"},
            }
        ]
    },
}
"""What shows when the new container is prepared, beside the old one."""


ONE = "timezone: this host knows no zone Atlantis/Capital"


@pytest.mark.parametrize(
    ("there", "every"),
    [(True, {**REFUSED, **LACKING}), (False, {ONE: REFUSED[ONE]})],
    ids=["replaced", "new"],
)
def test_what_the_host_refuses_is_told_before_anything_is_done(
    target: Target, there: bool, every: dict[str, dict[str, t.Any]]
) -> None:
    """In check mode by the same sentence."""
    first = target.make(command=["sleep", "1000"], stop_timeout=1) if there else None
    tasks = [
        target.container(check=check, image=target.image, **options)
        for options in every.values()
        for check in (True, False)
    ]
    *results, info = target.run(*tasks, target.info(name="web"))
    for expected, planned, done in zip(every, results[::2], results[1::2]):
        assert done.get("failed"), expected
        assert done["msg"].startswith(f"container web: {expected}"), done["msg"]
        assert (done["changed"], "\n" in done["msg"]) == (False, False)
        if expected in LACKING:
            [warning] = planned["warnings"]
            assert warning.startswith(f"container web: {expected}"), warning
            assert warning.endswith("; the real task fails if that is still so"), warning
        else:
            assert planned["msg"] == done["msg"]
    if first is None:
        assert info["exists"] is False
    else:
        assert info["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
        target.remove()


def test_limits_that_cannot_be_set_are_told_in_check_mode(target: Target) -> None:
    target.make(**SLEEP)
    planned, done, again = target.run(
        target.container(check=True, cpuset_cpus="4095", labels={"a": "b"}),
        target.container(cpuset_cpus="4095", labels={"a": "b"}),
        target.container(image=target.image, check=True, **SLEEP),
    )
    assert planned["failed"] is done["failed"] is True
    assert planned["msg"] == done["msg"]
    assert planned["msg"].startswith("container web: cpuset_cpus: '4095' names 4095, ")
    assert again["changed"] is False
    target.remove()


def test_what_shows_late_never_stops_the_old_one(target: Target) -> None:
    first = target.make(command=["sleep", "1000"], stop_timeout=1)
    *refused, info = target.run(
        *[target.container(image=target.image, **options) for options in TOLD_LATE.values()],
        target.info(name="web"),
    )
    for expected, result in zip(TOLD_LATE, refused):
        assert result.get("failed"), expected
        assert result["msg"].startswith("replace container web: prepare the new container: "), result["msg"]
        assert expected in result["msg"].replace("; the old container runs on", ""), result["msg"]
    assert info["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    target.remove()


def test_an_unprepared_host_is_told_what_it_lacks(target: Target) -> None:
    failed, info = target.run(target.container(image=target.image, runtime="no-such-runtime"), target.info())
    assert "no-such-runtime" in failed["msg"]
    assert "coracle.engine.host" in failed["msg"]
    assert info["containers"] == []


def test_an_unexpected_error_is_a_sentence_and_a_traceback(target: Target) -> None:
    """A state file that is a directory is nothing that anybody has thought of."""
    os.rename(target.paths.database, target.paths.database + ".kept")
    os.mkdir(target.paths.database)
    [failed] = target.run(target.info())
    os.rmdir(target.paths.database)
    os.rename(target.paths.database + ".kept", target.paths.database)
    assert failed["failed"] is True
    assert "state.db" in failed["msg"]
