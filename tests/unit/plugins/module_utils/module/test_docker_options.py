# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every option of docker_container is one of ours, or refused by name; docs/migrating.md has those."""

from __future__ import annotations

import pathlib
import re
import runpy
import typing as t

import pytest
import yaml

from ansible_collections.coracle.engine.plugins.module_utils.module.container_options import (
    CONTROL,
    DESCRIPTION,
    read_description,
)
from ansible_collections.coracle.engine.plugins.module_utils.module.docker_options import (
    DOCKER,
    ONLY,
    OTHER_NAMES,
    REFUSED,
    REFUSED_TYPES,
    Refusal,
    check_docker_options,
    refusal_of,
)
from ansible_collections.coracle.engine.plugins.module_utils.module.project_options import (
    PROJECT_OPTIONS,
    read_project,
)
from ansible_collections.coracle.engine.plugins.module_utils.module.registry_options import REGISTRY
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

ROOT = pathlib.Path(__file__).parents[5]
OURS = {**DESCRIPTION.options, **CONTROL.options, **DOCKER.options, **REGISTRY.options}

DOCKER_CONTAINER = """
auto_remove blkio_weight cap_drop capabilities cgroup_parent cgroupns_mode cleanup command
command_handling comparisons container_default_behavior cpu_period cpu_quota cpu_shares cpus cpuset_cpus
cpuset_mems default_host_ip detach device_cgroup_rules device_read_bps device_read_iops device_requests
device_write_bps device_write_iops devices dns_opts dns_search_domains dns_servers domainname entrypoint
env env_file etc_hosts exposed_ports=exposed=expose force_kill=forcekill groups healthcheck
healthy_wait_timeout hostname image image_comparison image_label_mismatch image_name_mismatch init
interactive ipc_mode keep_volumes kernel_memory kill_signal labels links log_driver log_options=log_opt
mac_address memory memory_reservation memory_swap memory_swappiness mounts name network_mode networks
networks_cli_compatible oom_killer oom_score_adj output_logs paused pid_mode pids_limit platform
privileged publish_all_ports published_ports=ports pull pull_check_mode_behavior read_only recreate
removal_wait_timeout restart restart_policy restart_retries runtime security_opts shm_size state
stop_signal stop_timeout storage_opts sysctls tmpfs tty ulimits user userns_mode uts volume_driver
volumes volumes_from working_dir
"""
"""Its 78 + 22 options with their aliases, as of community.docker 4.8.5."""

CONNECTION = """
docker_host=docker_url tls_hostname api_version=docker_api_version timeout
ca_path=ca_cert=tls_ca_cert=cacert_path client_cert=tls_client_cert=cert_path
client_key=tls_client_key=key_path tls use_ssh_client validate_certs=tls_verify debug
"""
"""Those that say how its daemon is reached."""

SUBOPTIONS = {
    "mounts": """
        target source type read_only consistency create_mountpoint propagation no_copy non_recursive
        read_only_non_recursive read_only_force_recursive labels volume_driver volume_options subpath
        tmpfs_size         tmpfs_mode tmpfs_options
    """,
    "networks": "name ipv4_address ipv6_address links aliases mac_address driver_opts gw_priority",
    "healthcheck": "test test_cli_compatible interval timeout retries start_period start_interval",
    "device_read_bps": "path rate",
    "device_write_bps": "path rate",
    "device_read_iops": "path rate",
    "device_write_iops": "path rate",
}
MOUNT_TYPES = ("bind", "npipe", "tmpfs", "volume", "cluster", "image")


def names_we_take() -> set[str]:
    return {name for option, spec in OURS.items() for name in (option, *spec.get("aliases", ()))}


def names_we_refuse() -> set[str]:
    return {name for refusal in REFUSED for name in refusal.names}


def test_the_list_is_whole() -> None:
    assert len(DOCKER_CONTAINER.split()) == 100
    assert len(CONNECTION.split()) == 11


@pytest.mark.parametrize("names", DOCKER_CONTAINER.split())
def test_every_option_is_taken_or_refused(names: str) -> None:
    option, *aliases = names.split("=")
    if option in OURS:
        assert set(aliases) <= set(OURS[option].get("aliases", ()))
        assert not {option, *aliases} & names_we_refuse()
    else:
        assert {option, *aliases} <= names_we_refuse()


@pytest.mark.parametrize("names", CONNECTION.split())
def test_options_for_a_daemon_are_refused_or_mean_the_registry(names: str) -> None:
    for name in names.split("="):
        assert (name in names_we_refuse()) != (name in REGISTRY.options)


@pytest.mark.parametrize("option", SUBOPTIONS)
def test_every_suboption_is_taken(option: str) -> None:
    taken = {
        name for key, spec in OURS[option]["options"].items() for name in (key, *spec.get("aliases", ()))
    }
    assert set(SUBOPTIONS[option].split()) <= taken


def test_every_type_of_mount_is_taken_or_refused() -> None:
    assert {*OURS["mounts"]["options"]["type"]["choices"], *REFUSED_TYPES} == set(MOUNT_TYPES)


def test_what_is_refused_is_not_taken() -> None:
    assert not names_we_refuse() & names_we_take()


def test_names_of_podman_lead_to_options_of_ours() -> None:
    assert not set(OTHER_NAMES) & (names_we_take() | names_we_refuse())
    networks = OURS["networks"]["options"]
    for meant in OTHER_NAMES.values():
        words = re.findall("[a-z0-9_]{4,}", meant.replace("item of", ""))
        assert words
        assert all(word in {*OURS, *networks, *OURS["healthcheck"]["options"]} for word in words), meant
    error = refusal_of({"name": "web", "publish": ["80:80"]})
    assert str(error) == "publish: it has another name here (use published_ports)"


def test_the_page_has_every_name_of_podman() -> None:
    page = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    section = page.partition("## From containers.podman.podman_container\n")[2].partition("\n## ")[0]
    assert [name for name in OTHER_NAMES if f"`{name}`" not in section] == []


def test_single_values_are_documented_options() -> None:
    assert set(ONLY) <= set(DOCKER.options)
    scope = runpy.run_path(str(ROOT / "plugins" / "doc_fragments" / "_docker_options.py"))
    assert set(yaml.safe_load(scope["ModuleDocFragment"].DOCUMENTATION)["options"]) == set(DOCKER.options)
    for name, only in ONLY.items():
        choices = DOCKER.options[name].get("choices")
        assert choices is None or set(only.values) <= set(choices)


def params(**given: t.Any) -> dict[str, t.Any]:
    options = {**CONTROL.options, **DESCRIPTION.options, **DOCKER.options}
    return {**{name: option.get("default") for name, option in options.items()}, "name": "web", **given}


def test_a_refused_option_is_told_under_the_name_that_was_written() -> None:
    error = refusal_of({"name": "web", "docker_url": "unix:///run/docker.sock", "tls": True})
    assert str(error) == (
        "docker_url: there is no daemon to reach (run the task on the host that has the container)"
    )
    assert refusal_of({"name": "web", "ports": ["80"], "mounts": [{"type": "bind"}, "x"]}) is None
    assert refusal_of({"mounts": "{{ nothing }}"}) is None


@pytest.mark.parametrize(
    ("mount", "problem"),
    [
        ({"type": "npipe", "target": "/x"}, "mounts: type npipe: named pipes are of Windows"),
        ({"type": "cluster"}, "mounts: type cluster: there is no swarm (use type volume)"),
    ],
)
def test_mounts_that_cannot_be(mount: dict[str, t.Any], problem: str) -> None:
    assert str(refusal_of({"mounts": [{"type": "volume"}, mount]})).startswith(problem)


@pytest.mark.parametrize("name", ONLY)
def test_a_value_that_is_so_says_nothing(name: str) -> None:
    for value in ONLY[name].values:
        check_docker_options({name: value})
        read_description(params(**{name: value}))
    other = True if DOCKER.options[name]["type"] == "bool" else "other"
    with pytest.raises(InvalidInput, match=rf"container web: {name}: \w+ cannot be: .* \(.*\)$"):
        read_description(params(**{name: other}))
    read_description(params(**{name: other}, state="absent"))


def test_declarations_of_containers_are_told_the_same() -> None:
    def read(**given: t.Any) -> t.Any:
        defaults = {name: option.get("default") for name, option in PROJECT_OPTIONS.options.items()}
        registry = {name: option.get("default") for name, option in REGISTRY.options.items()}
        return read_project({**defaults, **registry, **given})

    with pytest.raises(InvalidInput, match=r"containers: web: kernel_memory: Linux has no such limit"):
        read(containers=[{"name": "web", "image": "a", "kernel_memory": "1g"}])
    with pytest.raises(InvalidInput, match=r"defaults: docker_host: there is no daemon"):
        read(defaults={"docker_host": "x"})
    with pytest.raises(InvalidInput, match=r"container web: volume_driver: rexray cannot be"):
        read(containers=[{"name": "web", "image": "a", "volume_driver": "rexray"}])
    with pytest.raises(InvalidInput, match=r"container web: command_handling: compatibility cannot be"):
        read(containers=[{"name": "web", "image": "a"}], defaults={"command_handling": "compatibility"})


def rows() -> t.Iterator[str]:
    """The table of docs/migrating.md."""
    for refusal in REFUSED:
        yield _row(", ".join(f"`{name}`" for name in refusal.names), refusal)
    for kind, refusal in REFUSED_TYPES.items():
        yield _row(f"`mounts`: `type: {kind}`", refusal)
    for name, only in ONLY.items():
        values = " or ".join(f"`{_yaml(value)}`" for value in only.values if value != "")
        yield f"| `{name}`, other than {values} | {only.problem} | {only.instead} |"


def _row(names: str, refusal: Refusal) -> str:
    return f"| {names} | {refusal.problem} | {refusal.instead} |"


def _yaml(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_page_has_every_sentence() -> None:
    page = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    _before, _heading, section = page.partition("### Options that cannot be used\n")
    section = section.partition("\n#")[0]
    written = [line for line in section.splitlines() if line.startswith("| `")]
    assert written == list(rows())
