# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Real registries on loopback, and images to put into them.

    with running_registry(tmp_path / "registry") as registry:             plain HTTP, anonymous
        image = build_image(tmp_path / "layout", [{"etc/motd": b"hi"}])   by umoci; gzip layers
        image = recompressed(image, "zstd")                               or "none"
        registry.push(image, "team/app:1.0")                              by skopeo: Docker format or oci=True
        … `registry.host` is 127.0.0.1:<port>, the image is f"{registry.host}/team/app:1.0"

    running_registry(…, tls=True)                    HTTPS; registry.ca_cert is the file to trust
    running_registry(…, users={"ann": "secret"})     HTTP basic authentication
    with running_token_server(…, users=…) as tokens:
        running_registry(…, tokens=tokens)           bearer tokens from a server of our own

The registry is Debian's `docker-registry`; the kernel chooses every port; nothing is left afterwards except
files below the given directory.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import ctypes.util
import dataclasses
import gzip
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import threading
import time
import typing as t
import urllib.parse
import uuid

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, "
    f"{DOCKER_INDEX}, {OCI_INDEX}"
)


class Image(t.NamedTuple):
    """An image in an OCI layout directory."""

    layout: pathlib.Path
    tag: str

    @property
    def source(self) -> str:
        return f"oci:{self.layout}:{self.tag}"


@dataclasses.dataclass
class Registry:
    """A running registry. `host` is what stands before the first slash of an image name."""

    host: str
    log: pathlib.Path
    ca_cert: pathlib.Path | None = None
    username: str = ""
    password: str = ""
    restart: t.Callable[[], None] = lambda: None
    """End the process and start another one at the same address."""

    def push(self, image: Image, name: str, *, oci: bool = False) -> str:
        """Push as `name` (repository:tag) in Docker schema 2 or OCI format; the digest of the manifest."""
        command = ["skopeo", "copy", "--insecure-policy", "--format", "oci" if oci else "v2s2", "--quiet"]
        if oci:
            command.append("--preserve-digests")  # or skopeo would compress layers that are not
        if self.ca_cert:
            command += ["--dest-cert-dir", str(self.ca_cert.parent)]
        else:
            command += ["--dest-tls-verify=false"]
        if self.username:
            command += ["--dest-creds", f"{self.username}:{self.password}"]
        run([*command, image.source, f"docker://{self.host}/{name}"])
        return self.digest(name)

    def push_index(
        self, name: str, entries: t.Sequence[tuple[dict[str, str], str]], media_type: str = DOCKER_INDEX
    ) -> str:
        """Put an index as `name`; its digest. `entries`: platform objects, and names already pushed."""
        manifests = []
        for platform, pushed in entries:
            body, headers = self.manifest(pushed)
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            entry = {"mediaType": headers["Content-Type"], "digest": digest, "size": len(body)}
            manifests.append({**entry, "platform": platform})
        document = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).encode()
        return self.put_manifest(name, document, media_type)

    def put_manifest(self, name: str, document: bytes, media_type: str) -> str:
        self._manifest_request("PUT", name, document, {"Content-Type": media_type})
        return "sha256:" + hashlib.sha256(document).hexdigest()

    def manifest(self, name: str) -> tuple[bytes, http.client.HTTPMessage]:
        return self._manifest_request("GET", name, None, {"Accept": MANIFEST_TYPES})

    def digest(self, name: str) -> str:
        return "sha256:" + hashlib.sha256(self.manifest(name)[0]).hexdigest()

    def _manifest_request(
        self, method: str, name: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[bytes, http.client.HTTPMessage]:
        repository, _colon, target = name.replace("@", ":", 1).partition(":")
        path = f"/v2/{repository}/manifests/{target}"
        status, answer, content = self.request(method, path, body, headers)
        if status == 401 and "Bearer" in answer["WWW-Authenticate"]:
            headers = {**headers, "Authorization": self._bearer(answer["WWW-Authenticate"], repository)}
            status, answer, content = self.request(method, path, body, headers)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {content[:500]!r}")
        return content, answer

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: t.Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request, authenticated with basic credentials where there are some."""
        merged = {**({"Authorization": self.basic} if self.username else {}), **(headers or {})}
        if self.ca_cert:
            context = ssl.create_default_context(cafile=str(self.ca_cert))
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(self.host, context=context)
        else:
            connection = http.client.HTTPConnection(self.host)
        with contextlib.closing(connection):
            connection.request(method, path, body, merged)
            response = connection.getresponse()
            return response.status, response.msg, response.read()

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def _bearer(self, challenge: str, repository: str) -> str:
        fields = dict(re.findall('([a-z]+)="([^"]*)"', challenge))
        realm = urllib.parse.urlsplit(fields["realm"])
        query = urllib.parse.urlencode(
            {"service": fields["service"], "scope": f"repository:{repository}:pull,push"}
        )
        with contextlib.closing(http.client.HTTPConnection(realm.netloc)) as connection:
            connection.request("GET", f"{realm.path}?{query}", headers={"Authorization": self.basic})
            return "Bearer " + str(json.loads(connection.getresponse().read())["token"])


@contextlib.contextmanager
def running_registry(
    directory: pathlib.Path,
    *,
    tls: bool = False,
    users: t.Mapping[str, str] | None = None,
    tokens: TokenServer | None = None,
    client_ca: pathlib.Path | None = None,
) -> t.Iterator[Registry]:
    """A registry with its storage below `directory`. Its first user is the one that `Registry.push` uses."""
    directory.mkdir(parents=True, exist_ok=True)
    settings: dict[str, t.Any] = {
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "relativeurls": True, "secret": "not a secret"},
    }
    ca_cert = None
    if tls:
        authority = Authority(directory / "pki")
        ca_cert = authority.certificate
        certificate, key = authority.issue("registry", "IP:127.0.0.1,DNS:localhost")
        settings["http"]["tls"] = {"certificate": str(certificate), "key": str(key)}
        if client_ca:
            settings["http"]["tls"]["clientcas"] = [str(client_ca)]
    if tokens:
        users = tokens.users
        settings["auth"] = {"token": tokens.registry_settings}
    elif users:
        lines = [f"{name}:{_bcrypt(password)}\n" for name, password in users.items()]
        (directory / "htpasswd").write_text("".join(lines))
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(directory / "htpasswd")}}
    config, log = directory / "config.yml", directory / "registry.log"
    config.write_text(json.dumps(settings))
    (username, password), *_others = [*users.items()] if users else [("", "")]
    with contextlib.ExitStack() as running:
        host = running.enter_context(_process(config, log))

        def restart() -> None:
            running.close()
            config.write_text(json.dumps({**settings, "http": {**settings["http"], "addr": host}}))
            running.enter_context(_process(config, log))

        yield Registry(host, log, ca_cert, username, password, restart)


@contextlib.contextmanager
def _process(config: pathlib.Path, log: pathlib.Path) -> t.Iterator[str]:
    """A docker-registry with this configuration; the address it listens at."""
    command = ["setpriv", "--pdeathsig", "TERM", "docker-registry", "serve", str(config)]
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield _listening_address(process, log)
    finally:
        process.terminate()
        process.wait(20)


def _listening_address(process: subprocess.Popen[bytes], log: pathlib.Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text())
        if match:
            return match[1]
        time.sleep(0.02)
    raise RuntimeError(f"docker-registry did not start: {log.read_text()[-2000:]}")


class Authority:
    """A certificate authority of three files: `ca.crt`, and per name `<name>.cert` and `<name>.key`."""

    def __init__(self, directory: pathlib.Path, name: str = "Test CA") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.certificate = directory / "ca.crt"
        self.key = directory / "private" / "ca.key"
        self.key.parent.mkdir(exist_ok=True)
        subject = ["-subj", f"/CN={name}", "-days", "30"]
        run(
            [
                "openssl",
                "req",
                "-x509",
                *_NEW_KEY,
                *subject,
                *("-addext", "keyUsage=critical,keyCertSign,digitalSignature"),  # Python 3.13 insists
                "-keyout",
                str(self.key),
                "-out",
                str(self.certificate),
            ]
        )

    def issue(self, name: str, names: str, *, days: int = 10) -> tuple[pathlib.Path, pathlib.Path]:
        """A certificate for `names` (`DNS:localhost,IP:127.0.0.1`) and its key. With 0 `days` it ends in the
        second in which it begins.
        """
        request, key = self.key.parent / f"{name}.csr", self.key.parent / f"{name}.key"
        certificate, extensions = self.key.parent / f"{name}.cert", self.key.parent / f"{name}.cnf"
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n" if names else "")
        run(["openssl", "req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)])
        signer = [
            "-CA",
            str(self.certificate),
            "-CAkey",
            str(self.key),
            "-CAcreateserial",
            "-days",
            str(days),
        ]
        output = ["-extfile", str(extensions), "-out", str(certificate)]
        run(["openssl", "x509", "-req", "-in", str(request), *signer, *output])
        return certificate, key


_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class TokenServer:
    """A token server as in distribution's "Token Authentication Specification": `GET /token` → signed JWT.

    `requests` lists what was asked: (user or empty, scope). `users` maps names to passwords; anonymous users
    may pull from repositories that begin with `public/`.
    """

    SERVICE = "test-registry"

    def __init__(self, directory: pathlib.Path, users: t.Mapping[str, str]) -> None:
        self.users = dict(users)
        self.requests: list[tuple[str, str]] = []
        self._authority = Authority(directory / "token-pki", "Test tokens")
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def registry_settings(self) -> dict[str, str]:
        return {
            "realm": f"http://{self.host}/token",
            "service": self.SERVICE,
            "issuer": "test",
            "rootcertbundle": str(self._authority.certificate),
        }

    def answer(self, query: str, authorization: str) -> tuple[int, dict[str, t.Any]]:
        """Status and body for a token request."""
        user, granted = "", False
        if authorization.startswith("Basic "):
            user, _colon, password = base64.b64decode(authorization[6:]).decode().partition(":")
            granted = self.users.get(user) == password
            if not granted:
                return 401, {
                    "errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]
                }
        scope = dict(urllib.parse.parse_qsl(query)).get("scope", "")
        self.requests.append((user, scope))
        kind, _colon, rest = scope.partition(":")
        name, _colon, actions = rest.rpartition(":")
        allowed = actions.split(",") if granted else ["pull"] if name.startswith("public/") else []
        return 200, {
            "token": self._token(user, {"type": kind, "name": name, "actions": allowed}),
            "expires_in": 300,
        }

    def _token(self, user: str, access: dict[str, t.Any]) -> str:
        der = run(["openssl", "x509", "-in", str(self._authority.certificate), "-outform", "DER"])
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        times = {"iat": now, "nbf": now - 10, "exp": now + 300}
        names = {"iss": "test", "sub": user, "aud": self.SERVICE, "jti": uuid.uuid4().hex}
        payload = {**names, **times, "access": [access]}
        signed = b".".join(_base64url(json.dumps(part).encode()) for part in (header, payload))
        signature = run(["openssl", "dgst", "-sha256", "-sign", str(self._authority.key)], input=signed)
        return b".".join([signed, _base64url(_raw_signature(signature))]).decode()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        tokens = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = urllib.parse.urlsplit(self.path).query
                status, body = tokens.answer(query, self.headers.get("Authorization", ""))
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: t.Any) -> None:
                pass

        return Handler

    def __enter__(self) -> TokenServer:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def running_token_server(directory: pathlib.Path, users: t.Mapping[str, str]) -> TokenServer:
    """For a `with` statement."""
    return TokenServer(directory, users)


Layer = t.Union[t.Mapping[str, bytes], pathlib.Path]


def build_image(
    layout: pathlib.Path,
    layers: t.Sequence[Layer],
    *,
    tag: str = "latest",
    architecture: str = "amd64",
    config: t.Sequence[str] = (),
) -> Image:
    """An image made by umoci, one layer per item: a directory tree, or file names and contents.

    `config` are further options of `umoci config`, like `["--config.cmd", "/bin/sh", "--config.env", "A=b"]`.
    """
    if not layout.exists():
        run(["umoci", "init", "--layout", str(layout)])
    name = f"{layout}:{tag}"
    run(["umoci", "new", "--image", name])
    created = ["--created", "2024-01-01T00:00:00Z"]
    run(
        [
            "umoci",
            "config",
            "--image",
            name,
            "--architecture",
            architecture,
            "--os",
            "linux",
            *created,
            *config,
        ]
    )
    for position, layer in enumerate(layers):
        tree = (
            layer if isinstance(layer, pathlib.Path) else layout.parent / f".{layout.name}-{tag}-{position}"
        )
        if not isinstance(layer, pathlib.Path):
            _write_tree(tree, layer)
        run(["umoci", "insert", "--image", name, str(tree), "/"])
        if not isinstance(layer, pathlib.Path):
            shutil.rmtree(tree)
    return Image(layout, tag)


def recompressed(image: Image, compression: str) -> Image:
    """The same image in a new layout, layers compressed by the `zstd` program or not at all (`none`)."""
    target = image.layout.with_name(f"{image.layout.name}-{compression}")
    shutil.copytree(image.layout, target, dirs_exist_ok=True)
    index = json.loads((target / "index.json").read_text())
    for entry in index["manifests"]:
        if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == image.tag:
            manifest = json.loads(_blob(target, entry["digest"]).read_bytes())
            manifest["layers"] = [_recompressed(target, layer, compression) for layer in manifest["layers"]]
            entry.update(add_blob(target, json.dumps(manifest).encode(), entry["mediaType"]))
    (target / "index.json").write_text(json.dumps(index))
    return Image(target, image.tag)


def add_blob(layout: pathlib.Path, content: bytes, media_type: str) -> dict[str, t.Any]:
    """Put content into an OCI layout; its descriptor."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    _blob(layout, digest).write_bytes(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _blob(layout: pathlib.Path, digest: str) -> pathlib.Path:
    return layout / "blobs" / digest.replace(":", "/")


def _recompressed(layout: pathlib.Path, layer: dict[str, t.Any], compression: str) -> dict[str, t.Any]:
    tar = gzip.decompress(_blob(layout, layer["digest"]).read_bytes())
    media_type = layer["mediaType"].removesuffix("+gzip")
    if compression == "none":
        return add_blob(layout, tar, media_type)
    return add_blob(layout, run(["zstd", "-q", "-c"], input=tar), f"{media_type}+zstd")


def _write_tree(tree: pathlib.Path, files: t.Mapping[str, bytes]) -> None:
    tree.mkdir(parents=True)
    tree.chmod(0o755)
    for name, content in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if content.startswith((b"#!", b"\x7fELF")) else 0o644)


def run(command: t.Sequence[str], input: bytes | None = None) -> bytes:
    """Standard output of a command that must succeed."""
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        command, input=input, capture_output=True, check=False, timeout=300, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode()[-2000:]}")
    return done.stdout


def _bcrypt(password: str) -> str:
    """What `htpasswd -B` writes, by the C library."""
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    return t.cast(bytes, library.crypt(password.encode(), b"$2b$04$abcdefghijklmnopqrstuu")).decode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _raw_signature(der: bytes) -> bytes:
    """The two 32-byte numbers of an ECDSA signature (RFC 7518, 3.4) out of its ASN.1 form."""
    numbers, position = b"", 2
    for _number in range(2):
        length = der[position + 1]
        numbers += der[position + 2 : position + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        position += 2 + length
    return numbers
