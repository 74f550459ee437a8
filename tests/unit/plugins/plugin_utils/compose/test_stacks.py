# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compose files as people write them: nothing in them is refused, and the module takes what they become."""

from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.module.project_options import (
    PROJECT_OPTIONS,
    read_project,
)
from ansible_collections.coracle.engine.plugins.module_utils.module.registry_options import REGISTRY
from ansible_collections.coracle.engine.plugins.module_utils.runtime.reconcile.project import (
    Project,
    dependencies,
    in_order,
)
from ansible_collections.coracle.engine.tests.stacks.stacks import STACKS, converted


def project_of(stack: str) -> Project:
    found = converted(stack)
    options = {**PROJECT_OPTIONS.options, **REGISTRY.options}
    params = {name: option.get("default") for name, option in options.items()}
    params.update(
        project=found.project,
        containers=found.containers,
        networks=found.networks,
        volumes=found.volumes,
    )
    return read_project(params)


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_is_a_declaration(stack: str) -> None:
    found = converted(stack)
    assert found.warnings == []
    project = project_of(stack)
    assert [item.name for item in project.items] == [each["name"] for each in found.containers]
    needs = dependencies(project.items)
    assert set(in_order(needs)) == set(needs)
    declared = {network.name for network in project.networks}
    for item in project.items:
        assert declared.issuperset(network["name"] for network in item.asked.networks or ())


def test_what_a_stack_becomes() -> None:
    found = converted("keycloak")
    [database, keycloak] = found.containers
    assert found.networks == [{"name": "keycloak_default"}]
    assert found.volumes == [{"name": "keycloak_postgres_data", "driver": "local"}]
    assert database == {
        "name": "keycloak-postgres-1",
        "image": "postgres:16",
        "env": {
            "POSTGRES_DB": "keycloak",
            "POSTGRES_USER": "keycloak",
            "POSTGRES_PASSWORD": "password",
        },
        "healthcheck": {
            "test": "pg_isready -U ${POSTGRES_USER} -d ${POSTGRES_DB}",
            "interval": "2s",
            "timeout": "5s",
            "retries": 10,
        },
        "shm_size": "128mb",
        "stop_timeout": 90,
        "volumes": ["keycloak_postgres_data:/var/lib/postgresql/data"],
        "networks": [{"name": "keycloak_default", "aliases": ["postgres"]}],
    }
    assert keycloak["depends_on"] == {"keycloak-postgres-1": {"condition": "service_healthy"}}
    assert keycloak["published_ports"] == ["8083:8080"]
    assert {name: keycloak[name] for name in ("cpus", "memory", "pids_limit", "memory_reservation")} == {
        "cpus": "2",
        "memory": "1500M",
        "pids_limit": "400",
        "memory_reservation": "256M",
    }
    assert (keycloak["cpu_shares"], keycloak["restart_policy"], keycloak["restart_retries"]) == (
        256,
        "on-failure",
        3,
    )


def test_files_and_anchors() -> None:
    app, cron = converted("nextcloud").containers[2:]
    assert app["env"] == {
        "POSTGRES_DB": "nextcloud",
        "POSTGRES_USER": "nextcloud",
        "POSTGRES_PASSWORD": "not secret",
        "POSTGRES_HOST": "db",
        "REDIS_HOST": "redis",
        "REDIS_HOST_PASSWORD": "secret",
    }
    assert cron["env"] == {**app["env"], "PHP_MEMORY_LIMIT": "1G"}
    assert (app["restart_policy"], cron["restart_policy"]) == ("unless-stopped", "unless-stopped")
    assert (app["published_ports"], cron["published_ports"]) == (["127.0.0.1:8081:80"], [])
