# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import errno
import os
import stat

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.content import blobs
from ansible_collections.coracle.engine.plugins.module_utils.runtime.content.blobs import BlobStore
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    Conflict,
    IntegrityError,
    NotFound,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.digest import sha256_digest
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

CONTENT = bytes(range(256)) * 2000  # longer than one chunk
DIGEST = sha256_digest(CONTENT)


@pytest.fixture
def paths(tmp_path):
    return Paths(str(tmp_path / "root"), str(tmp_path / "run"))


@pytest.fixture
def store(paths):
    return BlobStore(paths)


def ingest_path(paths, digest=DIGEST):
    return os.path.join(paths.ingest, digest.partition(":")[2])


def complete(store, content=CONTENT, digest=None):
    ingest = store.ingest(digest or sha256_digest(content), len(content))
    for _piece in ingest.replay():
        pass
    ingest.write(content[ingest.position :])
    return ingest


# Documents


def test_a_document_comes_back_as_it_was_put(store):
    digest = store.put(b"{}")
    assert digest == sha256_digest(b"{}")
    assert store.has(digest)
    assert store.has(digest, 2)
    assert not store.has(digest, 3)
    assert store.read(digest) == b"{}"


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_directories_are_0700_and_files_0600_under_any_umask(store, paths, umask):
    before = os.umask(umask)
    try:
        store.put(b"{}")
        store.ingest(DIGEST, 3).close()
    finally:
        os.umask(before)
    modes = {
        stat.S_IMODE(os.stat(os.path.join(top, name)).st_mode): kind
        for top, directories, files in os.walk(paths.root)
        for kind, names in (("directory", directories), ("file", files))
        for name in names
    }
    assert modes == {0o700: "directory", 0o600: "file"}


def test_a_missing_blob_is_not_found(store):
    assert not store.has(DIGEST)
    with pytest.raises(NotFound, match=DIGEST):
        store.read(DIGEST)
    assert store.remove(DIGEST) == 0
    assert list(store.digests()) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{} "])
def test_damage_is_found_when_a_blob_is_read_and_mended_when_it_is_put_again(store, damage):
    digest = store.put(b"{}")
    with open(store.path(digest), "wb") as file:
        file.write(damage)
    with pytest.raises(IntegrityError):
        store.read(digest)
    store.put(b"{}")
    assert store.read(digest) == b"{}"


def test_a_document_beyond_the_limit_is_refused_before_it_is_read_whole(store):
    digest = store.put(b"x" * 1000)
    with pytest.raises(IntegrityError, match="longer than 999 bytes"):
        store.read(digest, limit=999)
    assert len(store.read(digest, limit=1000)) == 1000


def test_a_wrong_size_is_found_when_a_blob_is_read(store):
    digest = store.put(b"{}")
    with store.open(digest, 3) as reader, pytest.raises(IntegrityError):
        reader.read()


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "0" * 32, ""])
def test_what_is_no_digest_never_becomes_a_path(store, digest):
    for call in (store.path, store.has, store.read, store.remove, lambda name: store.ingest(name, 1)):
        with pytest.raises(IntegrityError):
            call(digest)


# Ingest


def test_a_blob_gets_its_name_only_when_it_is_committed(store, paths):
    ingest = complete(store)
    assert not store.has(DIGEST)
    assert os.path.exists(ingest_path(paths))
    store.commit([ingest])
    assert store.has(DIGEST, len(CONTENT))
    assert store.read(DIGEST) == CONTENT
    assert os.listdir(paths.ingest) == []


def test_an_ingest_goes_on_where_the_last_one_stopped(store):
    with store.ingest(DIGEST, len(CONTENT)) as first:
        assert first.offset == 0
        first.write(CONTENT[:300_000])
    with store.ingest(DIGEST, len(CONTENT)) as second:
        assert second.offset == 300_000
        assert b"".join(second.replay()) == CONTENT[:300_000]
        second.write(CONTENT[300_000:])
        store.commit([second])
    assert store.read(DIGEST) == CONTENT


def test_bytes_that_a_power_cut_made_up_are_found(store, paths):
    with store.ingest(DIGEST, len(CONTENT)) as first:
        first.write(CONTENT[:300_000])
    with open(ingest_path(paths), "r+b") as file:
        file.write(bytes(4096))
    ingest = complete(store)
    with pytest.raises(IntegrityError, match="has the digest"):
        store.commit([ingest])
    assert not store.has(DIGEST)
    ingest.discard()
    assert os.listdir(paths.ingest) == []


def test_how_much_of_a_blob_is_here(store):
    assert store.bytes_here(DIGEST) == 0
    with store.ingest(DIGEST, len(CONTENT)) as ingest:
        ingest.write(CONTENT[:1000])
    assert store.bytes_here(DIGEST) == 1000
    store.commit([complete(store)])
    assert store.bytes_here(DIGEST) == len(CONTENT)


def test_an_ingest_longer_than_the_blob_starts_anew(store):
    with store.ingest(DIGEST, len(CONTENT) + 1) as first:
        first.write(CONTENT + b"x")
    with store.ingest(DIGEST, len(CONTENT)) as second:
        assert second.offset == 0
        assert list(second.replay()) == []


def test_more_bytes_than_announced_are_refused_at_once(store):
    with store.ingest(DIGEST, 10) as ingest:
        ingest.write(CONTENT[:10])
        with pytest.raises(IntegrityError, match="longer than the 10 bytes"):
            ingest.write(b"x")


def test_fewer_bytes_than_announced_are_refused_at_the_end(store):
    with store.ingest(DIGEST, len(CONTENT)) as ingest:
        ingest.write(CONTENT[:10])
        with pytest.raises(IntegrityError, match="has 10 bytes"):
            store.commit([ingest])


def test_two_writers_of_one_blob_do_not_mix(store):
    with store.ingest(DIGEST, len(CONTENT)), pytest.raises(Conflict, match=r"written by another"):
        store.ingest(DIGEST, len(CONTENT))
    store.ingest(DIGEST, len(CONTENT)).close()


def test_a_full_disk_is_an_os_error_and_leaves_no_name(store, paths, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with store.ingest(DIGEST, len(CONTENT)) as ingest:
        monkeypatch.setattr(blobs.os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            ingest.write(CONTENT)
        ingest.discard()
    assert os.listdir(paths.ingest) == os.listdir(paths.blobs) == []


def test_nothing_is_named_before_everything_is_synced(store, monkeypatch):
    order = []
    sync, rename, fsync = blobs.sync_filesystem, os.rename, blobs.fsync_directory
    monkeypatch.setattr(blobs, "sync_filesystem", lambda path: (order.append("sync"), sync(path)))
    monkeypatch.setattr(blobs.os, "rename", lambda *names: (order.append("rename"), rename(*names)))
    monkeypatch.setattr(blobs, "fsync_directory", lambda path: (order.append("fsync"), fsync(path)))
    store.commit([complete(store, content) for content in (b"one", b"two")])
    assert order == ["sync", "rename", "rename", "fsync"]


def test_one_bad_ingest_lets_no_other_get_its_name(store):
    good, bad = complete(store, b"good"), complete(store, b"evil", digest=sha256_digest(b"fine"))
    with pytest.raises(IntegrityError):
        store.commit([good, bad])
    assert list(store.digests()) == []


# Garbage


def test_only_downloads_that_nobody_writes_are_swept(store, paths):
    store.ingest(sha256_digest(b"left behind"), 11).close()
    with open(ingest_path(paths, sha256_digest(b"left behind")), "wb") as file:
        file.write(b"left")
    with open(os.path.join(paths.ingest, "README"), "w", encoding="utf-8") as file:
        file.write("not ours")
    with store.ingest(DIGEST, len(CONTENT)) as under_way:
        assert store.sweep_ingest() == 4
        assert sorted(os.listdir(paths.ingest)) == sorted([DIGEST.partition(":")[2], "README"])
        under_way.write(CONTENT)
        store.commit([under_way])


def test_removing_a_blob_says_what_it_held(store):
    digest = store.put(b"1234567")
    assert list(store.digests()) == [digest]
    assert store.remove(digest) == 7
    assert list(store.digests()) == []
