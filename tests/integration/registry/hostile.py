# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A registry that does what it is told: serve one good image, and lie where a test says so.

    with Server() as server:
        site = Site(server)                      a good image, as routes of the server
        site.route(f"/v2/app/blobs/{…}", Reply(body=b"other bytes"))
        pull(server.host, options)               everything that a pull does with a registry
        server.requests                          what was asked, with all headers

`Reply.script` gets the socket and may do anything to it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import ssl
import tarfile
import threading
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.digest import VerifyingReader
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.documents import check_image
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import (
    parse_image_config,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import (
    Platform,
    check_platform,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.client import RegistryClient
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions

OCI = "application/vnd.oci.image."
MANIFEST_TYPE, INDEX_TYPE = f"{OCI}manifest.v1+json", f"{OCI}index.v1+json"
CONFIG_TYPE, LAYER_TYPE = f"{OCI}config.v1+json", f"{OCI}layer.v1.tar+gzip"


class Request(t.NamedTuple):
    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Reply(t.NamedTuple):
    status: int = 200
    headers: t.Mapping[str, str] = {}
    body: bytes = b""
    length: int | None = None
    """`Content-Length`, if it is not that of the body."""
    script: t.Callable[[socket.socket], None] | None = None


Route = t.Union[Reply, t.Callable[[Request], Reply]]


class Server:
    """Answers by `routes` (path → reply), otherwise 404. One thread per connection, all gone at the end."""

    def __init__(self, address: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        self.routes: dict[str, Route] = {}
        self.requests: list[Request] = []
        self._context = context
        self._listener = socket.create_server((address, 0))
        self.host = f"{address}:{self._listener.getsockname()[1]}"
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def __enter__(self) -> Server:
        self._start(self._accept)
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing = True
        for connection in [self._listener, *self._connections]:
            _shut(connection)
        for thread in list(self._threads):
            thread.join(20)
        self._listener.close()

    def _start(self, target: t.Callable[..., None], *arguments: t.Any) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._connections.add(connection)
            with connection, connection.makefile("rb") as stream:
                while self._answer(connection, stream):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def _answer(self, connection: socket.socket, stream: t.BinaryIO) -> bool:
        line = stream.readline(65536).decode().split()
        if len(line) != 3:
            return False
        headers = {}
        for raw in iter(stream.readline, b"\r\n"):
            name, _colon, value = raw.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        request = Request(line[0], line[1], headers, stream.read(int(headers.get("content-length", "0"))))
        self.requests.append(request)
        route = self.routes.get(request.path, Reply(404, body=b'{"errors":[{"code":"NAME_UNKNOWN"}]}'))
        reply = route if isinstance(route, Reply) else route(request)
        if reply.script:
            reply.script(connection)
            return False
        length = len(reply.body) if reply.length is None else reply.length
        lines = [f"HTTP/1.1 {reply.status} X"]
        lines += [f"{name}: {value}" for name, value in {"Content-Length": length, **reply.headers}.items()]
        body = b"" if request.method == "HEAD" else reply.body
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return length == len(reply.body) and headers.get("connection") != "close"


def _shut(connection: socket.socket) -> None:
    """Wake whoever reads from it. (`SSLSocket.shutdown` would take the TLS state from under them.)"""
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        pass


class Site:
    """A good image `app:1`: an index for two platforms, a manifest, a configuration, two layers."""

    def __init__(self, server: Server, architecture: str = "amd64") -> None:
        self.server = server
        tars = [_tar({"etc/motd": b"hello\n"}), _tar({f"data/{n}": b"%d" % n * 5000 for n in range(20)})]
        self.layers = [gzip.compress(tar, 1, mtime=0) for tar in tars]
        self.config: dict[str, t.Any] = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
        }
        self.publish()

    def publish(self) -> None:
        """Serve what the attributes say, consistently."""
        raw = encode(self.config)
        self.blobs = [raw, *self.layers]
        for blob in self.blobs:
            self.route(blob_path(blob), Reply(body=blob))
        layers = [descriptor(layer, LAYER_TYPE) for layer in self.layers]
        manifest = {"config": descriptor(raw, CONFIG_TYPE), "layers": layers}
        self.manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, **manifest}
        self.publish_manifest(self.manifest)

    def publish_manifest(self, manifest: t.Any) -> None:
        """Serve a manifest, and an index that leads to it as `1`."""
        raw = manifest if isinstance(manifest, bytes) else encode(manifest)
        self.route(manifest_path(digest(raw)), Reply(headers={"Content-Type": MANIFEST_TYPE}, body=raw))
        entry = {**descriptor(raw, MANIFEST_TYPE), "platform": {"os": "linux", "architecture": "amd64"}}
        other = {**entry, "digest": digest(b"other"), "platform": {"os": "linux", "architecture": "s390x"}}
        self.index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [other, entry]}
        self.publish_index(self.index)

    def publish_index(self, index: t.Any, tag: str = "1") -> str:
        raw = index if isinstance(index, bytes) else encode(index)
        for target in (tag, digest(raw)):
            self.route(manifest_path(target), Reply(headers={"Content-Type": INDEX_TYPE}, body=raw))
        return digest(raw)

    def route(self, path: str, route: Route) -> None:
        self.server.routes[path] = route

    def change(self, path: str, **changes: t.Any) -> None:
        """Serve something else under a path that is served already."""
        reply = self.server.routes[path]
        if not isinstance(reply, Reply):
            raise TypeError(path)
        self.route(path, reply._replace(**changes))


def pull(host: str, options: RegistryOptions, target: str = "1") -> list[bytes]:
    """All that a pull asks of a registry, with all its checks: the configuration and the layers."""
    client, platform = RegistryClient(host, options), Platform("linux", "amd64")
    try:
        image = client.get_image("app", target, platform)
        raw = client.read_blob("app", image.manifest.config)
        config = parse_image_config(raw)
        check_image(image.manifest, config)
        check_platform(platform, config)
        layers = []
        for layer in image.manifest.layers:
            with VerifyingReader(client.open_blob("app", layer), layer.digest, layer.size) as reader:
                layers.append(reader.read())
        return [raw, *layers]
    finally:
        client.close()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode(document: t.Any) -> bytes:
    return json.dumps(document).encode()


def descriptor(data: bytes, media_type: str) -> dict[str, t.Any]:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def blob_path(blob: bytes) -> str:
    return f"/v2/app/blobs/{digest(blob)}"


def manifest_path(target: str) -> str:
    return f"/v2/app/manifests/{target}"


def _tar(files: t.Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
