# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci import documents
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.digest import sha256_digest
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.documents import (
    Descriptor,
    Index,
    Manifest,
    parse_document,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import Platform

D1, D2, D3 = ("sha256:" + digit * 64 for digit in "123")
CONFIG = {"mediaType": documents.OCI_CONFIG, "digest": D1, "size": 100}
LAYER = {"mediaType": documents.OCI_LAYER + "+gzip", "digest": D2, "size": 1000}
MANIFEST = {"schemaVersion": 2, "mediaType": documents.OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
ENTRY = {
    "mediaType": documents.OCI_MANIFEST,
    "digest": D3,
    "size": 500,
    "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
}
INDEX = {"schemaVersion": 2, "mediaType": documents.OCI_INDEX, "manifests": [ENTRY]}


def encode(document: t.Any) -> bytes:
    return json.dumps(document).encode()


def changed(document: t.Any, **changes: t.Any) -> t.Any:
    """A copy with changed keys; a key whose new value is `...` is left out."""
    return {key: value for key, value in {**document, **changes}.items() if value is not ...}


def test_a_manifest() -> None:
    raw = encode(MANIFEST)
    manifest = parse_document(raw, documents.OCI_MANIFEST)
    assert manifest == Manifest(
        documents.OCI_MANIFEST,
        Descriptor(documents.OCI_CONFIG, D1, 100),
        (Descriptor(documents.OCI_LAYER + "+gzip", D2, 1000),),
        sha256_digest(raw),
        len(raw),
    )


def test_an_index() -> None:
    index = parse_document(encode(INDEX), documents.OCI_INDEX + "; charset=utf-8")
    assert isinstance(index, Index)
    assert index.manifests == (Descriptor(documents.OCI_MANIFEST, D3, 500, Platform("linux", "arm", "v7")),)
    assert not index.manifests[0].is_index


@pytest.mark.parametrize("content_type", [None, "", "application/json", "Text/Plain; charset=utf-8"])
@pytest.mark.parametrize(("document", "kind"), [(MANIFEST, Manifest), (INDEX, Index)])
def test_a_server_that_does_not_know_types(document: t.Any, kind: type, content_type: str | None) -> None:
    assert isinstance(parse_document(encode(document), content_type), kind)
    assert isinstance(parse_document(encode(changed(document, mediaType=...)), content_type), kind)


def test_docker_documents() -> None:
    config = changed(CONFIG, mediaType=documents.DOCKER_CONFIG)
    layer = changed(LAYER, mediaType=documents.DOCKER_LAYER + ".gzip")
    manifest = changed(MANIFEST, mediaType=documents.DOCKER_MANIFEST, config=config, layers=[layer])
    parsed = parse_document(encode(manifest), documents.DOCKER_MANIFEST)
    assert isinstance(parsed, Manifest)
    assert parsed.media_type == documents.DOCKER_MANIFEST
    index = changed(INDEX, mediaType=documents.DOCKER_INDEX)
    assert isinstance(parse_document(encode(index), documents.DOCKER_INDEX), Index)


def test_what_an_index_may_list_besides_images() -> None:
    attestation = changed(ENTRY, platform={"os": "unknown", "architecture": "unknown"})
    artifact = changed(ENTRY, mediaType="application/vnd.oci.artifact.manifest.v1+json", platform=...)
    nested = changed(ENTRY, mediaType=documents.OCI_INDEX, annotations={"a": "b"})
    index = parse_document(encode(changed(INDEX, manifests=[attestation, artifact, nested])))
    assert isinstance(index, Index)
    assert [entry.is_index for entry in index.manifests] == [False, False, True]
    assert index.manifests[2].annotations == {"a": "b"}


def test_urls_are_not_followed() -> None:
    layer = changed(LAYER, urls=["http://169.254.169.254/"])
    manifest = parse_document(encode(changed(MANIFEST, layers=[layer])))
    assert "169.254" not in repr(manifest)


SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
HELM = "application/vnd.cncf.helm.config.v1+json"


@pytest.mark.parametrize(
    ("document", "content_type", "cause"),
    [
        ({}, None, "neither a manifest nor an index"),
        ([], None, "not a JSON object"),
        (changed(MANIFEST, schemaVersion=...), None, "schemaVersion is not 2"),
        (changed(MANIFEST, schemaVersion=3), None, "schemaVersion is not 2"),
        (changed(MANIFEST, schemaVersion="2"), None, "schemaVersion is not 2"),
        (changed(MANIFEST, schemaVersion=1), None, "schema 1 format"),
        ({"schemaVersion": 1, "fsLayers": []}, SCHEMA_1, "schema 1 format"),
        ({"schemaVersion": 1, "fsLayers": []}, None, "schema 1 format"),
        (changed(MANIFEST, fsLayers=[]), None, "schema 1 format"),
        (changed(MANIFEST, manifests=[ENTRY]), None, "both a manifest and an index"),
        (changed(INDEX, layers=[LAYER]), None, "both a manifest and an index"),
        (changed(INDEX, config=CONFIG), documents.OCI_INDEX, "both a manifest and an index"),
        (MANIFEST, documents.OCI_INDEX, "served as application/vnd.oci.image.index"),
        (MANIFEST, documents.DOCKER_MANIFEST, "served as application/vnd.docker"),
        (changed(MANIFEST, mediaType=...), documents.OCI_INDEX, "not the application/vnd.oci.image.index"),
        (changed(MANIFEST, mediaType=documents.OCI_INDEX), None, "not the application/vnd.oci.image.index"),
        (
            changed(INDEX, mediaType=documents.OCI_MANIFEST),
            None,
            "not the application/vnd.oci.image.manifest",
        ),
        (changed(MANIFEST, mediaType=7), None, "mediaType is not a text"),
        (MANIFEST, "text/html", "neither an image manifest nor an image index"),
        (changed(MANIFEST, mediaType="a/b"), None, "neither an image manifest nor an image index"),
        (changed(MANIFEST, config=None), None, "config is not an object"),
        (changed(MANIFEST, config=changed(CONFIG, mediaType=HELM)), None, "not a container image.*helm"),
        (
            changed(
                MANIFEST,
                artifactType="application/x-sbom",
                config=changed(CONFIG, mediaType="application/vnd.oci.empty.v1+json"),
            ),
            None,
            "not a container image.*x-sbom",
        ),
        (changed(MANIFEST, config=changed(CONFIG, size=5 << 20)), None, "configuration is said to be"),
        (changed(MANIFEST, config=changed(CONFIG, mediaType=...)), None, "config: there is no mediaType"),
        (changed(MANIFEST, layers=None), None, "layers is not a list"),
        (changed(MANIFEST, layers=...), None, "layers is not a list"),
        (changed(MANIFEST, layers={}), None, "layers is not a list"),
        (changed(MANIFEST, layers=["x"]), None, r"layers\[0\] is not an object"),
        (changed(MANIFEST, layers=[LAYER] * 501), None, "501 entries"),
        (
            changed(MANIFEST, layers=[changed(LAYER, digest="sha256:../../x")]),
            None,
            r"layers\[0\]: .* not a digest",
        ),
        (changed(MANIFEST, layers=[changed(LAYER, digest=...)]), None, r"layers\[0\]: .* not a digest"),
        (changed(MANIFEST, layers=[changed(LAYER, digest="sha512:" + "0" * 128)]), None, "only sha256"),
        (changed(MANIFEST, layers=[changed(LAYER, size=-1)]), None, "size is not a number of bytes"),
        (changed(MANIFEST, layers=[changed(LAYER, size=True)]), None, "size is not a number of bytes"),
        (changed(MANIFEST, layers=[changed(LAYER, size=1.5)]), None, "size is not a number of bytes"),
        (changed(MANIFEST, layers=[changed(LAYER, size="1")]), None, "size is not a number of bytes"),
        (changed(MANIFEST, layers=[changed(LAYER, size=1 << 63)]), None, "size is not a number of bytes"),
        (changed(MANIFEST, layers=[changed(LAYER, mediaType=FOREIGN)]), None, "never fetched"),
        (changed(MANIFEST, layers=[changed(LAYER, mediaType=NONDISTRIBUTABLE)]), None, "never fetched"),
        (
            changed(MANIFEST, layers=[changed(LAYER, mediaType=LAYER["mediaType"] + "+encrypted")]),
            None,
            "encrypted",
        ),
        (changed(MANIFEST, layers=[changed(LAYER, mediaType="application/x-tar")]), None, "not known"),
        (changed(MANIFEST, layers=[changed(LAYER, annotations=[1])]), None, "annotations are not texts"),
        (changed(INDEX, manifests=None), None, "manifests is not a list"),
        (changed(INDEX, manifests=[ENTRY] * 1001), None, "1001 entries"),
        (changed(INDEX, manifests=[changed(ENTRY, size=5 << 20)]), None, "said to be 5242880 bytes"),
        (changed(INDEX, manifests=[changed(ENTRY, platform="linux")]), None, "platform is not an object"),
        (changed(INDEX, manifests=[changed(ENTRY, platform={"os": 7})]), None, "os is not a text"),
    ],
)
def test_what_is_refused_and_why(document: t.Any, content_type: str | None, cause: str) -> None:
    with pytest.raises(IntegrityError, match=cause):
        parse_document(encode(document), content_type)


def test_the_size_is_bounded() -> None:
    with pytest.raises(IntegrityError, match="larger than 4194304 bytes"):
        parse_document(encode(MANIFEST) + b" " * (4 << 20))


@pytest.mark.parametrize(
    ("media_type", "compression"),
    [
        ("application/vnd.oci.image.layer.v1.tar", "none"),
        ("application/vnd.oci.image.layer.v1.tar+gzip", "gzip"),
        ("application/vnd.oci.image.layer.v1.tar+zstd", "zstd"),
        ("application/vnd.docker.image.rootfs.diff.tar", "none"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip"),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", "zstd"),
    ],
)
def test_compression(media_type: str, compression: str) -> None:
    assert documents.layer_compression(media_type) == compression


def test_one_diff_id_per_layer() -> None:
    manifest = parse_document(encode(MANIFEST))
    assert isinstance(manifest, Manifest)
    documents.check_image(manifest, ImageConfig(diff_ids=[D1]))
    for diff_ids in ([], [D1, D2]):
        with pytest.raises(
            IntegrityError, match=f"1 layers and the image configuration has {len(diff_ids)} diff ids"
        ):
            documents.check_image(manifest, ImageConfig(diff_ids=diff_ids))


def test_a_new_manifest_reads_back_and_is_always_the_same() -> None:
    config = Descriptor(documents.OCI_CONFIG, D1, 100)
    layers = (Descriptor(documents.OCI_LAYER, D2, 1000, None, {"key": "value"}),)
    raw = documents.new_manifest(config, layers)
    assert raw == documents.new_manifest(config, list(layers))
    parsed = parse_document(raw, documents.OCI_MANIFEST)
    assert parsed == Manifest(documents.OCI_MANIFEST, config, layers, sha256_digest(raw), len(raw))


_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=80)
    | st.sampled_from([D1, documents.OCI_CONFIG]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["digest", "size", "mediaType", "platform", "os", "variant", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_key = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "artifactType", "fsLayers"]
)


@given(
    st.sampled_from([MANIFEST, INDEX]),
    st.dictionaries(_key, _value, max_size=4),
    st.none() | st.text(max_size=60),
)
def test_any_document_is_understood_or_refused(
    document: t.Any, changes: t.Any, content_type: str | None
) -> None:
    for candidate in ({**document, **changes}, changes):
        try:
            parsed = parse_document(encode(candidate), content_type)
        except CoracleError:
            continue
        assert isinstance(parsed, (Manifest, Index))
