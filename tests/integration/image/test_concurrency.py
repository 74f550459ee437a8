# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Several processes pull at once: each layer is taken once, nobody fails, nothing is collected too early."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import subprocess
import threading
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine, open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_image import (
    remove_image,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.faults import driver, verbs
from ansible_collections.coracle.engine.tests.integration.image.images import (
    NOTHING,
    assert_whole,
    find,
    pull,
    stored,
)
from ansible_collections.coracle.engine.tests.integration.registry import hostile
from ansible_collections.coracle.engine.tests.integration.registry.hostile import (
    Reply,
    Request,
    Server,
    Site,
    blob_path,
    digest,
)

PULLERS = 4


def start_pull(paths: Paths, name: str) -> subprocess.Popen[str]:
    command = ["/usr/bin/python3", "-I", "-B", driver.__file__, paths.root, paths.run_root]
    command += [f"{verbs.pull.__module__}:{verbs.pull.__name__}", json.dumps(name)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(processes: t.Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    ended = []
    for process in processes:
        output, _nothing = process.communicate(timeout=60)
        ended.append((process.returncode, output))
    return ended


def layers_of(count: int) -> list[bytes]:
    return [hostile._tar({f"noise-{number}": os.urandom(200_000)}) for number in range(count)]


def use(site: Site, tars: t.Sequence[bytes]) -> None:
    site.layers = [gzip.compress(tar, 1, mtime=0) for tar in tars]
    site.config["rootfs"]["diff_ids"] = [digest(tar) for tar in tars]
    site.publish()


def test_images_that_share_layers_take_each_layer_once(engine_roots: Paths, server: Server) -> None:
    site = Site(server)
    tars = layers_of(5)
    for tag, chosen in (("2", tars[:4]), ("3", tars[1:]), ("4", tars[::2])):
        use(site, chosen)
        site.publish_index(site.index, tag)
    blobs = [gzip.compress(tar, 1, mtime=0) for tar in tars]
    everybody = threading.Barrier(PULLERS)

    def manifest(reply: Reply) -> t.Callable[[Request], Reply]:
        def answer(_request: Request) -> Reply:
            everybody.wait(30)
            return reply

        return answer

    names = [f"{server.host}/app:{tag}" for tag in ("2", "3", "4", "4")]
    for tag in ("2", "3", "4"):
        path = f"/v2/app/manifests/{tag}"
        site.route(path, manifest(server.routes[path]))  # type: ignore[arg-type]
    ended = finish([start_pull(engine_roots, name) for name in names])
    assert ended == [(0, "")] * PULLERS
    assert [len(server.asked(blob_path(blob))) for blob in blobs] == [1] * 5
    with open_engine(*engine_roots) as engine:
        for name in names:
            record = find(engine, name)
            assert record is not None
            assert_whole(engine, record)


def test_a_layer_whose_maker_was_killed_is_taken_over(engine_roots: Paths, server: Server) -> None:
    site = Site(server)
    use(site, layers_of(1))
    [blob] = site.layers
    stalled = threading.Event()
    release = threading.Event()

    def stall(connection: t.Any) -> None:
        connection.sendall(f"HTTP/1.1 200 X\r\nContent-Length: {len(blob)}\r\n\r\n".encode() + blob[:100_000])
        stalled.set()
        release.wait(30)

    site.route(blob_path(blob), Reply(script=stall))
    name = f"{server.host}/app:1"
    victim = start_pull(engine_roots, name)
    assert stalled.wait(30)
    site.route(blob_path(blob), Reply(body=blob))
    heir = start_pull(engine_roots, name)
    victim.kill()
    victim.communicate()
    release.set()
    assert finish([heir]) == [(0, "")]
    with open_engine(*engine_roots) as engine:
        record = find(engine, name)
        assert record is not None
        assert_whole(engine, record)


def test_nothing_is_collected_while_something_is_pulled(engine: Engine, site: Site, app: str) -> None:
    pull(engine, app)
    with lock(engine.paths, "content", shared=True):
        removing: list[t.Any] = []
        thread = threading.Thread(
            target=lambda: removing.append(remove_image(engine, parse_reference(app), wait=0.1))
        )
        thread.start()
        thread.join(30)
    [removed] = removing
    assert removed.warning == "space will be freed when the pulls under way have ended"
    assert find(engine, app) is None
    assert stored(engine.paths) != NOTHING
    assert pull(engine, app).bytes == 0, "what was not collected is used again"
    assert remove_image(engine, parse_reference(app)).warning == ""
    assert stored(engine.paths) == NOTHING


def test_what_could_not_be_collected_is_collected_by_the_next_pull(
    engine: Engine, site: Site, app: str
) -> None:
    pull(engine, app)
    with lock(engine.paths, "content", shared=True):
        collecting = threading.Thread(target=lambda: remove_image(engine, parse_reference(app), wait=0))
        collecting.start()
        collecting.join(30)
    use(site, layers_of(1))
    record = pull(engine, app).record
    assert_whole(engine, record)
    assert len(stored(engine.paths)["layers"]) == 1
    assert len(stored(engine.paths)["blobs"]) == 3
    assert not os.path.exists(os.path.join(engine.paths.root, "garbage"))


def test_a_pull_and_a_removal_do_not_hurt_each_other(engine_roots: Paths, server: Server) -> None:
    """The image that is removed shares a layer with the one that is pulled meanwhile."""
    site = Site(server)
    tars = layers_of(2)
    use(site, tars[:1])
    site.publish_index(site.index, "old")
    use(site, tars)
    old, new = f"{server.host}/app:old", f"{server.host}/app:1"
    top = site.layers[1]
    under_way, go_on = threading.Event(), threading.Event()

    def wait(_request: Request) -> Reply:
        under_way.set()
        go_on.wait(30)
        return Reply(body=top)

    site.route(blob_path(top), wait)
    with open_engine(*engine_roots) as engine:
        pull(engine, old)
        puller = start_pull(engine_roots, new)
        assert under_way.wait(30)
        assert remove_image(engine, parse_reference(old), wait=0.1).warning
        go_on.set()
        assert finish([puller]) == [(0, "")]
        record = find(engine, new)
        assert record is not None
        assert_whole(engine, record)


def test_the_lock_files_are_private(engine: Engine, app: str) -> None:
    pull(engine, app)
    modes = {path.stat().st_mode & 0o777 for path in pathlib.Path(engine.paths.locks).iterdir()}
    assert modes == {0o600}
