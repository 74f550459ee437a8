# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The playbooks for fleets, on ten hosts behind ssh: provisioned, updated, and a bad update that stops."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.ssh.hosts import USER, Hosts

HOST_PORT = 8000  # and the number of the host; on the loopback interface of the namespace
AT_ONCE = ("-e", '{"fleet_batches": [10]}')
CANARY = ("-e", '{"fleet_batches": [1, 9]}')
LOGIN = {"ansible_user": USER, "ansible_become": True}


def _app(version: str) -> dict[str, t.Any]:
    """What a group of an inventory would say: a web server that tells its version, in the host's network."""
    probe = "wget -q -O - http://127.0.0.1:{{ web_port }}/version"
    return {
        **LOGIN,
        "host_root": "{{ coracle_root }}",
        "host_manage_packages": False,
        "app_engine": {"root": "{{ coracle_root }}", "run_root": "{{ coracle_run_root }}"},
        "app_record_directory": "{{ coracle_root }}.apps",
        "app_project": "web",
        "app_pull": "never",
        "web_port": "{{ 8000 + (inventory_hostname | regex_replace('[^0-9]', '') | int) }}",
        "app_files": [{"dest": "{{ coracle_root }}.www/version", "content": f"{version}\n", "mode": "0644"}],
        "app_urls": [{"url": "http://127.0.0.1:{{ web_port }}/version", "timeout": 5}],
        "app_containers": [
            {
                "name": "web",
                "image": "busybox:test",
                "env": {"VERSION": version},
                "command": ["/bin/busybox", "httpd", "-f", "-p", "{{ web_port }}", "-h", "/www"],
                "network_mode": "host",
                "replace": "stop-first",
                "volumes": ["{{ coracle_root }}.www:/www:ro"],
                "stop_timeout": 1,
                "healthcheck": {"test": probe, "interval": "1s", "timeout": "5s", "retries": 2},
            }
        ],
    }


def _play(hosts: Hosts, name: str, *options: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    inventory = hosts.inventory(**variables)
    return hosts.run(
        "ansible-playbook", "-i", str(inventory), f"coracle.engine.{name}", *options, ANSIBLE_FORKS="10"
    )


def _changed(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Host → how many tasks changed something; none may have failed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return {host: int(count) for host, count in re.findall(r"^(host\d+) .*changed=(\d+)", done.stdout, re.M)}


def _page(hosts: Hosts, number: int, name: str) -> str:
    """What that host answers now: the page, or the status where there is none."""
    url = f"http://127.0.0.1:{HOST_PORT + number}/{name}"
    curl = ["nsenter", f"--net=/proc/{hosts.namespace_pid}/ns/net", "curl", "-sS", "-w", "%{http_code}", url]
    said = subprocess.run(curl, check=True, capture_output=True, text=True, timeout=10).stdout
    return said[:-3].strip() if said.endswith("200") else said[-3:]


def _versions(hosts: Hosts) -> set[str]:
    return {_page(hosts, number, "version") for number in range(1, len(hosts.names) + 1)}


@pytest.fixture
def fleet(ten_hosts: Hosts) -> Hosts:
    """All have the image."""
    arguments = {
        "root": "{{ coracle_root }}",
        "run_root": "{{ coracle_run_root }}",
        "name": "busybox:test",
        "source": "rootfs",
        "path": str(ten_hosts.work / "busybox.tar"),
    }
    made = ten_hosts.tasks("coracle.engine.image", json.dumps(arguments), variables=LOGIN, ANSIBLE_FORKS="10")
    assert {result["changed"] for result in made.values()} == {True}
    return ten_hosts


def test_a_fleet_from_nothing_to_a_bad_update(fleet: Hosts) -> None:
    first, second = _app("1"), _app("2")
    provisioned = _play(fleet, "provision_fleet", *AT_ONCE, **first)
    assert set(_changed(provisioned)) == set(fleet.names)
    assert "create container web from busybox:test" in provisioned.stdout
    assert _versions(fleet) == {"1"}
    assert _changed(_play(fleet, "provision_fleet", *AT_ONCE, **first)) == dict.fromkeys(fleet.names, 0)

    updated = _play(fleet, "rolling_update", *CANARY, **second)
    assert 0 not in _changed(updated).values()
    assert "recreate container web: env" in updated.stdout
    assert _versions(fleet) == {"2"}

    bad = _app("3")
    bad["app_containers"][0]["command"] = ["/bin/false"]
    bad["app_files"].append({"dest": "{{ coracle_root }}.www/more", "content": "3\n", "mode": "0644"})
    stopped = _play(fleet, "rolling_update", *CANARY, **bad)
    assert stopped.returncode != 0
    told = " ".join(stopped.stdout.split())
    assert "The update stops at host1: 1 of 1 containers failed: web: " in told
    assert "(the version before this one runs again)" in told
    assert "In between" not in told
    assert _page(fleet, 1, "more") == "404"
    [left] = set(re.findall(r"Updated: no host\. As before: ([^.]*)\.", told))
    assert sorted(left.split(", ")) == sorted(fleet.names)
    assert re.findall(r"^(host\d+) ", stopped.stdout, re.M) == ["host1"]  # the canary, and nobody else
    assert _versions(fleet) == {"2"}
