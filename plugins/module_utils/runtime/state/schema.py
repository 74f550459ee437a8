# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The shape of the state file, version by version. Forward only: a script, once released, is never edited.

`MIGRATIONS[i]` leads from version i to version i + 1. JSON columns hold what has a type in `container/` and
`content/`; what must be unique or is looked up by has a column of its own.
"""

from __future__ import annotations

# "Corc": tells our file from any other SQLite file, also for file(1).
APPLICATION_ID = 0x436F7263

_IMAGES_CONTAINERS_VOLUMES = """
CREATE TABLE images (
    id TEXT PRIMARY KEY,             -- sha256:<hex> of the image configuration
    manifest_digest TEXT,
    record TEXT NOT NULL,            -- JSON: content.images.ImageRecord
    created TEXT
);
CREATE TABLE image_names (
    name TEXT PRIMARY KEY,           -- canonical: docker.io/library/x:tag or docker.io/library/x@sha256:<hex>
    image_id TEXT NOT NULL REFERENCES images (id),
    manifest_digest TEXT
);
CREATE INDEX image_names_by_image ON image_names (image_id);
CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    name TEXT UNIQUE NOT NULL,
    image_id TEXT,
    config TEXT NOT NULL,            -- JSON: container.config.ContainerConfig, what was asked
    state TEXT NOT NULL,             -- JSON: container.records.ContainerState, what we did about it
    created TEXT NOT NULL
);
CREATE INDEX containers_by_image ON containers (image_id);
CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    record TEXT NOT NULL,            -- JSON: volume.records.VolumeRecord
    created TEXT NOT NULL
);
CREATE TABLE volume_uses (
    volume TEXT NOT NULL REFERENCES volumes (name),
    container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (volume, container_id)
);
CREATE INDEX volume_uses_by_container ON volume_uses (container_id);
"""

_VOLUMES_ARE_FILLED_IMAGES_ARE_MOUNTED = """
ALTER TABLE volumes ADD COLUMN filled INTEGER NOT NULL DEFAULT 1;  -- 0: the image's files are to be copied
CREATE TABLE image_uses (            -- images that a container mounts besides its own
    image_id TEXT NOT NULL REFERENCES images (id),
    container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (image_id, container_id)
);
CREATE INDEX image_uses_by_container ON image_uses (container_id);
"""

_NETWORKS = """
CREATE TABLE networks (
    name TEXT PRIMARY KEY,
    id TEXT UNIQUE NOT NULL,
    record TEXT NOT NULL,            -- JSON: network.model.Network
    created TEXT NOT NULL
);
CREATE TABLE endpoints (             -- a container's place on a network
    container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    network TEXT NOT NULL REFERENCES networks (name),
    record TEXT NOT NULL,            -- JSON: network.model.Endpoint
    PRIMARY KEY (container_id, network)
);
CREATE INDEX endpoints_by_network ON endpoints (network);
CREATE TABLE addresses (
    network TEXT NOT NULL REFERENCES networks (name) ON DELETE CASCADE,
    address TEXT NOT NULL,           -- without prefix length
    container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (network, address)
);
CREATE INDEX addresses_by_container ON addresses (container_id);
CREATE TABLE ports (                 -- published ports of the host
    host_ip TEXT NOT NULL,           -- 0.0.0.0, :: or one address
    protocol TEXT NOT NULL,
    host_port INTEGER NOT NULL,
    container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    container_port INTEGER NOT NULL,
    PRIMARY KEY (host_ip, protocol, host_port)
);
CREATE INDEX ports_by_container ON ports (container_id);
UPDATE containers                    -- what naming no mode has meant until now
    SET config = json_set(config, '$.config.network_mode', 'none')
    WHERE CASE WHEN json_valid(config) THEN
        json_type(config, '$.config') = 'object'
        AND json_type(config, '$.config.network_mode') IS NULL
    END;
"""

MIGRATIONS = (_IMAGES_CONTAINERS_VOLUMES, _VOLUMES_ARE_FILLED_IMAGES_ARE_MOUNTED, _NETWORKS)
