# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A new container starts beside the old one, and takes its place when it is ready: nobody notices."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.ready import Ready
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerRecord,
    list_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.options import NetworkOptions
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.records import endpoints_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import (
    drain_container,
    replace_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_network import (
    create_network,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.replace_container import (
    Proof,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.container_fields import (
    described,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.repairs import plan_repairs
from ansible_collections.coracle.engine.tests.integration.container.harbour import (
    IMAGE_NAME,
    Harbour,
    wait_until,
)
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Target
from ansible_collections.coracle.engine.tests.integration.network.dns import ask
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan

pytestmark = pytest.mark.usefixtures("host")

HOST = ADDRESSES["host"]
ANSWERS = Ready(port=80, interval=0.1, timeout=30.0)


def serving(text: str, after: float = 0.0, then: str = "true") -> list[str]:
    """A server that says `text` to everybody who comes, and does `then` with the connection."""
    return [
        "sh",
        "-c",
        f"echo begin {text}; sleep {after:g}; exec nc -ll -p 80 -e sh -c 'echo {text}; {then}'",
    ]


def options(command: list[str], **more: t.Any) -> dict[str, t.Any]:
    return {"command": command, "network_mode": "web", "published_ports": ["8080:80"], **more}


def start_old(harbour: Harbour, lan: Lan, **more: t.Any) -> tuple[ContainerRecord, str]:
    """The record of the container web, which answers; and the gateway of its network."""
    network = create_network(harbour.engine, "web", NetworkOptions())
    config = described(options(serving("old", **more)))
    harbour.start("web", *config.command or (), network_mode="web", published_ports=config.published_ports)
    wait_until(lambda: lan.probe("neighbour", "tcp", HOST, 8080), lambda answer: answer == "open:old\n")
    return harbour.record("web"), network.gateway(4)


def replace(engine: Engine, harbour: Harbour, command: list[str], **more: t.Any) -> ContainerRecord:
    config = described(options(command))
    wanted = {"run": True, "start_first": True, "proof": Proof(ready=ANSWERS), "timeout": 1, **more}
    return replace_container.replace_container(
        engine, "web", config, harbour.image, IMAGE_NAME, **t.cast("t.Any", wanted)
    )


def addresses(harbour: Harbour, record: ContainerRecord) -> list[str]:
    return [endpoint.address(4) for endpoint in endpoints_of(harbour.engine.records.read(), record.id)]


class Hammer:
    """A client that asks again and again, from the beginning to the end of the block."""

    def __init__(self, lan: Lan, place: str, address: str) -> None:
        self.answers: list[str] = []
        self._asks = lambda: lan.probe(place, "tcp", address, 8080)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Hammer:
        self._thread.start()
        wait_until(lambda: len(self.answers), lambda number: number > 5)
        return self

    def __exit__(self, *_error: object) -> None:
        before = len(self.answers)
        wait_until(lambda: len(self.answers), lambda number: number > before + 5)
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self.answers.append(self._asks())


def test_no_request_fails_and_the_name_moves(harbour: Harbour, lan: Lan) -> None:
    old, gateway = start_old(harbour, lan)
    client = harbour.start("client", "sleep", "1000", network_mode="web")
    place = harbour.paths.network_namespace(client.id)
    assert ask(lan, place, gateway, "web") == addresses(harbour, old)
    before = addresses(harbour, old)
    with (
        Hammer(lan, "neighbour", HOST) as neighbour,
        Hammer(lan, "host", HOST) as itself,
        Hammer(lan, "host", "127.0.0.1") as loopback,
    ):
        new = replace(harbour.engine, harbour, serving("new", after=1.0))
    for hammer in (neighbour, itself, loopback):
        failed = [answer for answer in hammer.answers if answer not in ("open:old\n", "open:new\n")]
        assert failed == []
        assert hammer.answers == sorted(hammer.answers, reverse=True)  # never back to the old one
        assert {"open:old\n", "open:new\n"} == set(hammer.answers)
    assert ask(lan, place, gateway, "web") == addresses(harbour, new) != before
    assert harbour.record("web").id == new.id
    assert len(list_containers(harbour.engine.records, hidden=True)) == 2


def test_a_connection_ends_where_it_has_begun(harbour: Harbour, lan: Lan) -> None:
    start_old(harbour, lan, then="exec cat")
    with lan.inside("neighbour"):
        connection = socket.create_connection((HOST, 8080), timeout=10)
    with connection:
        assert connection.recv(10) == b"old\n"
        done: list[float] = []

        def work() -> None:
            with Engine(harbour.paths) as engine:
                replace(engine, harbour, serving("new"), drain_timeout=60.0)
            done.append(time.monotonic())

        worker = threading.Thread(target=_inside(lan, work))
        worker.start()
        wait_until(lambda: lan.probe("neighbour", "tcp", HOST, 8080), lambda answer: answer == "open:new\n")
        connection.sendall(b"are you there?")
        assert connection.recv(100) == b"are you there?"
        assert done == []
        closed = time.monotonic()
    worker.join(30)
    assert done
    assert done[0] - closed < 20


def test_who_does_not_hang_up_has_his_time(harbour: Harbour, lan: Lan) -> None:
    start_old(harbour, lan, then="exec cat")
    with lan.inside("neighbour"):
        connection = socket.create_connection((HOST, 8080), timeout=10)
    with connection:
        assert connection.recv(10) == b"old\n"
        began = time.monotonic()
        replace(harbour.engine, harbour, serving("new"), drain_timeout=3.0)
        assert time.monotonic() - began > 3
        assert connection.recv(10) == b""
    assert lan.probe("neighbour", "tcp", HOST, 8080) == "open:new\n"


def test_what_never_becomes_ready_leaves_the_old_one_alone(harbour: Harbour, lan: Lan) -> None:
    old, _gateway = start_old(harbour, lan)
    pid = harbour.status("web").pid
    probe = ANSWERS._replace(timeout=1.0)
    with Hammer(lan, "neighbour", HOST) as hammer, pytest.raises(CoracleError) as caught:
        replace(harbour.engine, harbour, serving("new", after=1000), proof=Proof(ready=probe))
    assert set(hammer.answers) == {"open:old\n"}
    message = str(caught.value)
    assert message.startswith("replace container web: the new container is not ready after 1 s: ")
    assert ":80: Connection refused; the old container runs on; " in message
    assert "the last lines of the new one: begin new" in message
    assert (harbour.record("web").id, harbour.status("web").pid) == (old.id, pid)
    assert [record.name for record in list_containers(harbour.engine.records, hidden=True)] == ["web"]


@pytest.mark.parametrize(
    ("ready", "problem"),
    [
        (Ready(port=80, path="/", interval=0.1, timeout=2.0), "'new' is no answer of HTTP"),
        (Ready(arguments=("sh", "-c", "echo no data; exit 3"), timeout=1.0), "sh ended with code 3: no data"),
        (Ready(port=81, timeout=1.0), ":81: Connection refused"),
    ],
    ids=["http", "exec", "tcp"],
)
def test_the_last_answer_of_a_probe_is_told(harbour: Harbour, lan: Lan, ready: Ready, problem: str) -> None:
    """Also where the old one was stopped first: it runs again."""
    old, _gateway = start_old(harbour, lan)
    with pytest.raises(CoracleError) as caught:
        replace(harbour.engine, harbour, serving("new"), start_first=False, proof=Proof(ready=ready))
    assert problem in str(caught.value)
    assert "; the old container runs again" in str(caught.value)
    assert harbour.record("web").id == old.id
    wait_until(lambda: lan.probe("neighbour", "tcp", HOST, 8080), lambda answer: answer == "open:old\n")


def test_a_page_says_that_it_is_ready(harbour: Harbour, lan: Lan) -> None:
    start_old(harbour, lan)
    page = 'printf "HTTP/1.0 404 Not Found\\r\\n\\r\\n"'
    ready = Ready(port=80, path="/health", statuses=(404,), timeout=20.0)
    script = ["sh", "-c", f"exec nc -ll -p 80 -e sh -c '{page}'"]
    new = replace(harbour.engine, harbour, script, proof=Proof(ready=ready))
    assert harbour.record("web").id == new.id


def test_what_ends_is_not_waited_for(harbour: Harbour, lan: Lan) -> None:
    start_old(harbour, lan)
    began = time.monotonic()
    with pytest.raises(CoracleError, match="the new container ended with code 7 before it was ready"):
        replace(
            harbour.engine,
            harbour,
            ["sh", "-c", "exit 7"],
            proof=Proof(ready=ANSWERS._replace(timeout=300.0)),
        )
    assert time.monotonic() - began < 60


BEFORE_THE_SWITCH = ("prepare_container", "release_container", "_prove", "_switch")
AFTER_THE_SWITCH = ("_retire", "drain_container", "stop_container", "_finish")


@pytest.mark.parametrize("moment", [*BEFORE_THE_SWITCH, *AFTER_THE_SWITCH])
def test_killed_in_the_middle(harbour: Harbour, lan: Lan, moment: str) -> None:
    old, _gateway = start_old(harbour, lan)
    pid = harbour.status("web").pid
    _die_before(harbour, moment)
    switched = moment in AFTER_THE_SWITCH
    serves = "open:new\n" if moment in AFTER_THE_SWITCH[1:] else "open:old\n"
    if moment != "_finish":
        assert os.path.exists(f"/proc/{pid}")
    assert lan.probe("neighbour", "tcp", HOST, 8080) == serves

    with Engine(harbour.paths) as engine, Hammer(lan, "neighbour", HOST) as hammer:
        repairs = plan_repairs(engine)
        what = (
            "remove the one that it has replaced"
            if switched
            else ("its replacement was interrupted, remove the new one")
        )
        assert f"repair container web: {what}" in repairs.actions
        repairs.execute(engine)
    assert set(hammer.answers) <= {"open:old\n", "open:new\n"}
    assert hammer.answers[-1] == ("open:new\n" if switched else "open:old\n")
    assert (harbour.record("web").id == old.id) is not switched
    assert os.path.exists(f"/proc/{pid}") is not switched
    with Engine(harbour.paths) as engine:
        assert [record.name for record in list_containers(engine.records, hidden=True)] == ["web"]
        assert plan_repairs(engine).actions == []


def _die_before(harbour: Harbour, moment: str) -> None:
    """In a child process: replace web; be killed right before the step `moment`."""
    child = os.fork()
    if child == 0:
        try:
            where = drain_container if moment == "drain_container" else replace_container
            setattr(where, moment, lambda *_args, **_options: os.kill(os.getpid(), signal.SIGKILL))
            with Engine(harbour.paths) as engine:
                replace(engine, harbour, serving("new"))
        finally:
            os._exit(1)
    _pid, ended = os.waitpid(child, 0)
    assert os.WIFSIGNALED(ended)


def _inside(lan: Lan, work: t.Callable[[], None]) -> t.Callable[[], None]:
    def visit() -> None:
        with lan.inside("host"):
            work()

    return visit


# As users write it


def test_a_task_replaces_without_a_pause(target: Target, lan: Lan) -> None:
    ready = {"tcp": {"port": 80}, "interval": "100ms"}
    common = {
        "image": target.image,
        "published_ports": ["8080:80"],
        "replace": "start-first",
        "stop_timeout": 1,
    }
    first = target.make(command=serving("old"), **common)
    wait_until(lambda: lan.probe("neighbour", "tcp", HOST, 8080), lambda answer: answer == "open:old\n")
    wanted = {"command": serving("new"), "ready": ready, "drain_timeout": 5, **common}
    planned, never, done, again = target.run(
        target.container(check=True, **wanted),
        target.container(**{**wanted, "command": ["sleep", "1000"], "ready": {**ready, "timeout": "1s"}}),
        target.container(**wanted),
        target.container(**wanted),
    )
    assert planned["actions"] == done["actions"], (planned, done)
    [action] = done["actions"]
    assert action.startswith("recreate container web, the new one before the old one stops: command is ")
    assert never["failed"]
    assert "; the old container runs on" in never["msg"]
    assert done["container"]["Id"] != first["container"]["Id"]
    assert again["changed"] is False
    assert lan.probe("neighbour", "tcp", HOST, 8080) == "open:new\n"


def test_healthy_beside_the_old_one(target: Target, lan: Lan) -> None:
    """The new one is probed while nobody knows it, and both conditions hold when it takes over."""
    check = {"interval": "200ms", "retries": 1, "start_period": "1m", "start_interval": "200ms"}
    common = {
        "image": target.image,
        "published_ports": ["8080:80"],
        "replace": "start-first",
        "state": "healthy",
        "stop_timeout": 1,
        "drain_timeout": 2,
    }
    well = {"test": "test -e /well", **check}
    begin = ["sh", "-c", "sleep 1; touch /well; exec nc -ll -p 80 -e echo old"]
    first = target.make(command=begin, healthcheck=well, **common)
    wait_until(lambda: lan.probe("neighbour", "tcp", HOST, 8080), lambda answer: answer == "open:old\n")
    ill = {"test": "echo no database; exit 1", "interval": "200ms", "retries": 2}
    with Hammer(lan, "neighbour", HOST) as hammer:
        failed, info, done = target.run(
            target.container(command=serving("ill"), healthcheck=ill, **common),
            target.info(name="web"),
            target.container(
                command=[*begin[:2], begin[2].replace("old", "new")], healthcheck=well, **common
            ),
        )
    assert "is unhealthy: no database; the old container runs on" in failed["msg"]
    assert info["container"]["State"]["Pid"] == first["container"]["State"]["Pid"]
    assert done["container"]["State"]["Health"]["Status"] == "healthy"
    assert set(hammer.answers) == {"open:old\n", "open:new\n"}
    assert hammer.answers[-1] == "open:new\n"


def test_datagrams_go_where_they_went_until_the_old_one_stops(harbour: Harbour, lan: Lan) -> None:
    """There are no connections that could be seen to end: the whole time is theirs. After it the kernel has
    forgotten them.
    """
    create_network(harbour.engine, "web", NetworkOptions())
    asked = {"command": ["sleep", "1000"], "network_mode": "web", "published_ports": ["8080:80/udp"]}
    config = described(asked)
    old = harbour.start("web", "sleep", "1000", network_mode="web", published_ports=config.published_ports)
    serve(harbour, lan, old, "old")
    with lan.inside("neighbour"):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def work() -> None:
        with Engine(harbour.paths) as engine:
            replace_container.replace_container(
                engine,
                "web",
                config,
                harbour.image,
                IMAGE_NAME,
                run=True,
                start_first=True,
                drain_timeout=4.0,
                timeout=0,
            )

    with client:
        client.settimeout(5)
        client.connect((HOST, 8080))
        assert asked_of(client) == b"old"
        worker = threading.Thread(target=_inside(lan, work))
        worker.start()
        wait_until(lambda: harbour.record("web").id, lambda found: found != old.id)
        began = time.monotonic()
        assert asked_of(client) == b"old"
        worker.join()
        assert time.monotonic() - began > 3
        serve(harbour, lan, harbour.record("web"), "new")
        assert asked_of(client) == b"new"


def serve(harbour: Harbour, lan: Lan, record: ContainerRecord, text: str) -> None:
    [address] = addresses(harbour, record)
    lan.serve(harbour.paths.network_namespace(record.id), "udp", address, 80, text)


def asked_of(client: socket.socket) -> bytes:
    client.send(b"?")
    return client.recv(100)
