# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Prepare a container: everything that starting it takes, up to the point where only its program has to be
let go.

What can go wrong goes wrong here (a missing program, a mount that does not exist, an option that the kernel
refuses), so that a replacement can be prepared before the old container is stopped. On any failure all of
it is undone.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ..container.attachments import joined_container
from ..container.effective import Effective, effective_of
from ..container.records import ContainerRecord, Run
from ..container.status import run_directory
from ..errors import Conflict
from ..linux import cgroups
from ..linux.files import make_private_directory
from ..linux.processes import boot_id, now
from ..linux.service_notice import notice_socket
from .install_boot_unit import BOOT_POLICIES, install_boot_unit
from .locked_container import acting, locked_container, save
from .settle_run import abandon_run, clear_leftovers, runtime_of, settle_run

if t.TYPE_CHECKING:
    from ..container.conmon import Launch, Launched
    from ..engine import Engine


def prepare_container(engine: Engine, name: str) -> ContainerRecord:
    """With what it requires started. Nothing to do for a container that is prepared already, or runs."""
    from .start_required import start_required

    with acting(engine, "prepare", name) as found:
        start_required(engine, found)
        with locked_container(engine, found.id) as record:
            settle_run(engine, record)
            if record.state.run is None:
                prepare(engine, record)
                save(engine, record)
            return record


def prepare(engine: Engine, record: ContainerRecord) -> None:
    """The same with the lock held, for a container whose last run is settled. The processes of the run are
    in `record` only: the caller saves it, here or when the program has been let go.
    """
    if record.state.kept_since:
        raise Conflict("it is a previous version, kept for a rollback", "use rollback: true")
    record.state.run = Run(os.urandom(8).hex(), boot_id(), now())
    save(engine, record)
    try:
        clear_leftovers(engine, record)
        record.state.rewiring = record.state.resizing = None
        if record.config.restart_policy in BOOT_POLICIES:
            install_boot_unit(engine)
        launched = _build_up(engine, record, record.state.run.nonce)
    except BaseException as error:
        abandon_run(engine, record, error)
        raise
    record.state.run = record.state.run._replace(conmon=launched.conmon, init=launched.init)


def _make_public_directory(path: str) -> None:
    """One that every user of the container may enter, whatever our umask."""
    os.mkdir(path)
    os.chmod(path, 0o755)


def listens_for_notices(record: ContainerRecord) -> bool:
    """Does the program say itself that it is ready, and somebody want to hear it?"""
    return record.config.sdnotify == "container" and bool(notice_socket())


def _build_up(engine: Engine, record: ContainerRecord, nonce: str) -> Launched:
    from ..container import conmon
    from ..container.log_values import JOURNALD, check_journal, driver_of
    from ..container.oci_runtime import find_runtime
    from ..linux.programs import find_program
    from .install_agent import exit_command

    paths = engine.paths
    cgroups.check_cgroups()
    if record.config.cgroup_parent:
        cgroups.check_parent(record.config.cgroup_parent, "cgroup_parent")
    runtime = find_runtime(paths, runtime_of(engine, record))
    program = find_program(engine.conmon)
    if driver_of(record.config) == JOURNALD:
        check_journal(program)
    directory = run_directory(paths, record.id, nonce)
    make_private_directory(paths.container(record.id))
    make_private_directory(directory, fleeting=True)
    for name in ("exit", "persist"):
        os.mkdir(os.path.join(directory, name), 0o700)
    if listens_for_notices(record):
        _make_public_directory(os.path.join(directory, "notify"))
    plan = conmon.Launch(
        program=program,
        runtime=runtime,
        container_id=record.id,
        name=record.name,
        run_directory=directory,
        cgroup=f"{paths.cgroup_parent}/conmon",
        exit_command=exit_command(engine, record.id, nonce),
        tty=bool(record.config.tty),
        interactive=bool(record.config.interactive),
        notify_socket=notice_socket() if listens_for_notices(record) else "",
    )
    return _launch(engine, record, plan)


def _launch(engine: Engine, record: ContainerRecord, plan: Launch) -> Launched:
    """With somebody there for what conmon will write, if that is to files."""
    from ..container import conmon, log_segments
    from ..container.log_values import FILE, driver_of, limits_of_log
    from .attach_network import open_network
    from .watch_logs import logs_watched

    directory = plan.run_directory

    def launch(plan: Launch) -> Launched:
        return conmon.launch(
            plan, lambda: _write_bundle(engine, record, directory), lambda: open_network(engine, record)
        )

    driver = driver_of(record.config)
    if driver != FILE:
        tag = (record.config.log_options or {}).get("tag", "")
        return launch(plan._replace(log_driver=driver, log_tag=tag))
    log = log_segments.begin(
        engine.paths,
        record.id,
        directory,
        limits_of_log(record.config),
        keeps_itself=conmon.rotates_logs(plan.program),
    )
    plan = plan._replace(log_path=log.path, log_bytes=log.bytes, kept_logs=log.kept)
    with contextlib.nullcontext() if log.kept else logs_watched(engine):
        launched = launch(plan)
        log_segments.arm(engine.paths, record.id, directory, log)
    return launched


def _write_bundle(engine: Engine, record: ContainerRecord, run_directory: str) -> None:
    """Mount the root file system and write what the runtime is told."""
    from ..container.host_files import write_plain
    from ..container.mount_places import make_bind_sources
    from ..container.secret_values import write_secrets
    from ..container.unit_values import NOTIFY_DIRECTORY
    from .attach_network import attach_network
    from .attach_volumes import attach_volumes
    from .join_namespaces import join_namespaces
    from .mounted_root import mount_container
    from .spec_of_container import spec_of
    from .write_host_files import write_host_files

    directory = engine.paths.container(record.id)
    whole = effective_of(record)
    namespace = attach_network(engine, record)
    root = mount_container(engine, record)
    make_bind_sources(whole.volumes)
    places = attach_volumes(engine, record, whole.volumes, root)
    joined, shared_memory = join_namespaces(engine, record)
    places.update(shared_memory)
    places.update(write_secrets(record.config, run_directory))
    if listens_for_notices(record):
        places[NOTIFY_DIRECTORY] = os.path.join(run_directory, "notify")
    if joined_container(whole.network_mode):
        whole, shared = _joined(engine, record, whole)
        places.update(shared)
    else:
        write_host_files(engine, record)
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        spec = spec_of(engine, record, whole, fd, places, namespace, joined)
    finally:
        os.close(fd)
    path = os.path.join(directory, "config.json")
    write_plain(path, json.dumps(spec).encode(), 0o600)
    os.symlink(path, os.path.join(run_directory, "config.json"))


def _joined(engine: Engine, record: ContainerRecord, whole: Effective) -> tuple[Effective, dict[str, str]]:
    """With the network of another container come its host name and the files that tell names."""
    from ..container.spec_mounts import GENERATED_FILES
    from .attach_network import joined_of

    joined = joined_of(engine, record)
    hostname = effective_of(joined).hostname
    environment = dict(whole.environment)
    if environment["HOSTNAME"] == whole.hostname:
        environment["HOSTNAME"] = hostname
    directory = engine.paths.container(joined.id)
    files = {target: os.path.join(directory, name) for target, name in GENERATED_FILES.items()}
    return whole._replace(hostname=hostname, environment=environment), files
