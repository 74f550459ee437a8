# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Containers under test: an engine, its image, and short names for what the operations do."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import time
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.logs import read_output
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import (
    ContainerRecord,
    find_container,
    list_containers,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import Status, observe
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.images import (
    ImageRecord,
    LayerReference,
    list_images,
    save_image,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.assemble import assemble
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.store import LayerStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.worker import ExtractionPool
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.digest import sha256_digest
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.create_container import (
    create_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.start_container import (
    start_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

IMAGE_NAME = "docker.io/library/busybox:1"
_PATIENCE = 30.0
_ROOT = pathlib.Path(__file__).resolve().parents[3]


class Harbour:
    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.engine = Engine(paths)
        self.image: ImageRecord = list_images(self.engine.database.read())[0]

    def __enter__(self) -> Harbour:
        return self

    def __exit__(self, *_error: object) -> None:
        self.engine.close()

    def create(self, name: str, *command: str, **config: t.Any) -> ContainerRecord:
        asked = ContainerConfig(**{"network_mode": "none", **config, "command": list(command)})
        return create_container(self.engine, name, asked, self.image, IMAGE_NAME)

    def start(self, name: str, *command: str, **config: t.Any) -> ContainerRecord:
        """Create, if a command is given, and start."""
        if command:
            self.create(name, *command, **config)
        return start_container(self.engine, name)

    def record(self, name: str) -> ContainerRecord:
        found = find_container(self.engine.database, name)
        assert found is not None, f"there is no container {name}"
        return found

    def exists(self, name: str) -> bool:
        return find_container(self.engine.database, name) is not None

    def status(self, name: str) -> Status:
        return observe(self.engine, self.record(name))

    def output(self, name: str) -> str:
        return read_output(self.paths, self.record(name))

    def wait_for(self, name: str, *statuses: str) -> Status:
        """The status once it is one of these."""
        return wait_until(lambda: self.status(name), lambda status: status.status in statuses)

    def settled(self, name: str) -> ContainerRecord:
        """The record once the exit handler has folded the last run into it."""
        return wait_until(lambda: self.record(name), lambda record: record.state.run is None)

    def remove_all(self) -> None:
        for record in list_containers(self.engine.database, hidden=True):
            remove_container(self.engine, record.id, volumes=True)

    def python(self, code: str, *arguments: str) -> list[str]:
        """The command line of another process that runs `code` with the engine at hand as `engine`."""
        return [sys.executable, "-c", _PRELUDE + code, str(_ROOT), *self.paths, *arguments]

    def run_python(self, code: str, *arguments: str, **options: t.Any) -> subprocess.CompletedProcess[str]:
        argv = self.python(code, *arguments)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, **options)


_PRELUDE = """
import importlib.machinery, sys, types
root, engine_root, run_root = sys.argv[1:4]
arguments = sys.argv[4:]
for name, path in (("ansible_collections", ""), ("ansible_collections.coracle", ""),
                   ("ansible_collections.coracle.engine", root)):
    module = types.ModuleType(name)
    module.__path__ = [path or root + "/.none"]
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    sys.modules[name] = module
def load(name):
    return importlib.import_module("ansible_collections.coracle.engine.plugins.module_utils.runtime." + name)
def verb(name):
    return getattr(load("operations." + name), name)
import importlib
engine = load("engine").open_engine(engine_root, run_root)
"""

T = t.TypeVar("T")


def wait_until(look: t.Callable[[], T], good: t.Callable[[T], bool], patience: float = _PATIENCE) -> T:
    """What `look` gives once it is `good`."""
    deadline = time.monotonic() + patience
    while True:
        found = look()
        if good(found):
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {patience} s"
        time.sleep(0.01)


def wait_for_text(path: pathlib.Path, text: str) -> None:
    def content() -> str:
        with contextlib.suppress(FileNotFoundError):
            return path.read_text()
        return ""

    wait_until(content, lambda found: text in found)


def store_image(paths: Paths, tar: pathlib.Path) -> None:
    """An image of one layer, without a registry."""
    data = tar.read_bytes()
    diff_id = sha256_digest(data)
    os.makedirs(paths.root, mode=0o700, exist_ok=True)
    store = LayerStore(paths)
    with ExtractionPool() as pool, store.stage(diff_id) as staged:
        worker = pool.start(staged, "none")
        worker.write(data)
        worker.finish()
        assembly = assemble(store, pool, [diff_id], [staged], _never)
    config = ImageConfig(architecture="amd64", cmd=["/bin/sh"], diff_ids=[diff_id])
    layer = LayerReference(diff_id, diff_id, "application/vnd.oci.image.layer.v1.tar", len(data))
    record = ImageRecord(
        "sha256:" + "1" * 64,
        "sha256:" + "2" * 64,
        "application/vnd.oci.image.manifest.v1+json",
        config.to_json(),
        (layer,),
        tuple(assembly.directories),
        assembly.parents_layer,
        len(data),
    )
    with Engine(paths) as engine, engine.database.transaction() as transaction:
        save_image(transaction, record)


def _never(_index: int) -> t.NoReturn:
    raise AssertionError("one layer stands on nothing")
