#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Pull, load, import, tag and remove container images
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Makes sure that an image is on the target, from a registry, an archive or the tar of a root file system,
    or that it is not.
  - Every byte is checked against the digest that was asked for. What a task has reported is on the disk and
    survives a power cut. An interrupted download goes on where it stopped. Layers are shared between images.
  - Nothing is pulled twice. With O(pull=always) one request asks whether the tag has moved, also in check
    mode.
extends_documentation_fragment:
  - coracle.engine._registry
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - An image from a registry only changes when its tag leads to another digest, and then only with
        O(pull=always) or O(pull=newer).
      - An image from a file is known by its content. The same file gives the same image.
options:
  name:
    description:
      - Name of the image, like V(nginx:1.27), V(registry.example.com:5000/team/app) or
        V(nginx@sha256:<digest>). Without a registry it is on Docker Hub, without tag and digest it is
        C(latest).
      - With tag and digest the digest decides. The image is then known by its digest only.
      - The full ID of an image on the target (64 digits, with or without V(sha256:)) serves for O(tags) and
        for O(state=absent).
      - With O(source=archive) and O(source=rootfs) this is the name that the image is given. Without it the
        image has no name and is used by its ID.
    type: str
  state:
    description:
      - V(present) - the image is on the target.
      - V(absent) - O(name) does not lead to an image on the target. With its last name the image goes, and
        all that no other image needs. Only O(name) and O(force) count.
    type: str
    default: present
    choices:
      - absent
      - present
  source:
    description:
      - V(registry) - the image is pulled from the registry in O(name).
      - V(archive) - it is loaded from the file or directory O(path) on the target. The file is what
        C(docker save), C(podman save) or C(skopeo copy) write, or an OCI image layout as a tar, not
        compressed or compressed by gzip or zstd. The directory is an OCI image layout. Names in the archive
        are never used as names of the image.
      - V(rootfs) - it is made of O(path), the tar of a root file system, not compressed or compressed by
        gzip or zstd. What the image says about its process is given by O(cmd), O(entrypoint), O(env) and so
        on.
    type: str
    default: registry
    choices:
      - archive
      - registry
      - rootfs
  path:
    description: File or directory on the target that the image comes from. Needed with O(source=archive) and
      O(source=rootfs).
    type: path
  archive_name:
    description:
      - Which image to take of an archive that has several, by its name there. Without it, the one that the
        archive calls O(name).
    type: str
  pull:
    description:
      - V(missing) - the image is pulled if it is not on the target, or there for another O(platform).
      - V(always) - the registry is asked, and the image is pulled if the tag leads to another digest.
      - V(newer) - the same, but what is on the target is good enough while the registry does not answer.
      - V(never) - it is an error if the image is not on the target.
      - An image that is named by its digest cannot change, and is pulled only if it is missing.
      - With V(always) and V(newer) the layers on the target are counted through, with the others only their
        records are looked at. A damaged layer is made again in any case.
    type: str
    default: missing
    choices:
      - always
      - missing
      - never
      - newer
  platform:
    description:
      - The platform to pull or load, like V(linux/arm64) or V(linux/arm/v7). The default is that of the
        target.
      - With O(source=rootfs) it is what the image is said to be made for.
    type: str
  tags:
    description: More names that lead to the same image. A name that leads to another image is moved.
    type: list
    elements: str
    default: []
  force:
    description:
      - Also remove the names of an image that containers use. The image itself stays for them, without a
        name.
      - Also remove an image by its ID when it has names in several repositories.
    type: bool
    default: false
  cmd:
    description: Command of the image, a list, or a string that is split as a shell does. Only with
      O(source=rootfs), like all of the following.
    type: raw
  entrypoint:
    description: Entrypoint of the image.
    type: list
    elements: str
  env:
    description: Environment variables. Values are strings. They are part of the image, and no place for
      secrets.
    type: dict
  labels:
    description: Labels of the image.
    type: dict
  user:
    description: User that the process runs as, V(user), V(user:group) or numbers.
    type: str
  working_dir:
    description: Directory that the process starts in.
    type: str
  exposed_ports:
    description: Ports that the process listens on, like V(80), V(53/udp) or V(8000-8010).
    type: list
    elements: str
  volumes:
    description: Directories that get an anonymous volume, unless the container has something else there.
    type: list
    elements: str
  stop_signal:
    description: Signal that ends the process, V(SIGTERM) if it is not given.
    type: str
seealso:
  - module: coracle.engine.image_info
  - module: coracle.engine.container
"""

EXAMPLES = r"""
- name: The image is there
  coracle.engine.image:
    name: docker.io/library/nginx:1.27

- name: The image is what the registry has now
  coracle.engine.image:
    name: registry.example.com/team/app:stable
    pull: always
    username: deploy
    password: "{{ registry_password }}"
  register: app

- name: Say what has moved
  ansible.builtin.debug:
    msg: "{{ app.actions }} took {{ app.pull.seconds }} s and {{ app.pull.bytes }} bytes"
  when: app is changed

- name: Exactly this one, and a short name for it
  coracle.engine.image:
    name: nginx@sha256:0a399eb16751829e1af26fea27b20c3ec28d7ab1fb72182879dcae1cca21206a
    tags:
      - web:current

- name: From an archive that was copied to the target
  coracle.engine.image:
    name: team/app:2.3
    source: archive
    path: /srv/images/app-2.3.tar

- name: From a root file system, without any registry
  coracle.engine.image:
    name: busybox:local
    source: rootfs
    path: /srv/images/busybox.tar.gz
    cmd: [/bin/sh]
    env:
      PATH: /bin

- name: Nothing of it is left
  coracle.engine.image:
    name: team/app:2.2
    state: absent
"""

RETURN = r"""
image:
  description:
    - The image in the shape of C(docker image inspect). Empty with O(state=absent).
    - In check mode, the image as it is before the change. Empty if it is not there yet.
  returned: success
  type: dict
  sample:
    Id: sha256:9c7a54a9a43cca047013b82af109fe963fde787f63f9e016fdc3384500c2823d
    RepoTags: ["nginx:1.27"]
    RepoDigests:
      - nginx@sha256:0a399eb16751829e1af26fea27b20c3ec28d7ab1fb72182879dcae1cca21206a
    Digest: sha256:6784fb0834aa7dbbe12e3d7471e69c290df3e6ba810dc38b34ae33d3c1c05f7d
    Created: "2024-05-03T19:49:21Z"
    Os: linux
    Architecture: amd64
    Size: 192004242
    Config:
      Cmd: ["nginx", "-g", "daemon off;"]
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
      ExposedPorts: {"80/tcp": {}}
      StopSignal: SIGQUIT
    RootFS:
      Type: layers
      Layers: ["sha256:5d4427064ecc46e3c2add169e9b5eafc7ed2be7861081ec925938ab628ac0e25"]
pull:
  description: What was brought to the target. All zero if nothing was.
  returned: success
  type: dict
  contains:
    bytes:
      description: Compressed bytes that were read from the registry or the file.
      type: int
    layers:
      description: Layers that were unpacked.
      type: int
    reused:
      description: Layers that were there already.
      type: int
    seconds:
      description: How long it took.
      type: float
  sample:
    bytes: 71005258
    layers: 5
    reused: 2
    seconds: 1.934
freed:
  description: Bytes that were freed or, in check mode, would be freed.
  returned: success
  type: int
  sample: 192004242
actions:
  description: What was done or, in check mode, would be done, and why.
  returned: success
  type: list
  elements: str
  sample:
    - "pull image nginx:1.27: it is not here"
differences:
  description: What made a change necessary.
  returned: success
  type: list
  elements: dict
  contains:
    field:
      description: V(digest), V(id), V(exists) or a name.
      type: str
    before:
      description: What there was.
      type: raw
    after:
      description: What there is to be.
      type: raw
    reason:
      description: The same as a sentence.
      type: str
    how:
      description: V(live) for a change, V(remove) where the image or the name goes.
      type: str
"""

import typing as t

from ..module_utils.module.entry import run_module
from ..module_utils.module.image_options import IMAGE, read_image_request
from ..module_utils.module.image_results import image_result
from ..module_utils.module.registry_options import REGISTRY, registry_options
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.operations.lease import leased
from ..module_utils.runtime.reconcile.image import plan_image


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    request = read_image_request(params, registry_options(params))
    images = [] if check_mode else list(map(str, filter(None, (*request.names, request.name))))
    with leased(engine, images=images):
        planned = plan_image(engine, request)
        facts = {} if check_mode else planned.plan.execute(engine)
    return image_result(engine, planned, facts)


def main() -> None:
    run_module(IMAGE.merge(REGISTRY), run)


if __name__ == "__main__":
    main()
