# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of every module that may talk to a registry (module_utils/module/registry_options.py)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  username:
    description:
      - User name for the registry that the image name contains.
      - Credentials are sent to that registry and to a token server on its domain, and to nobody else.
      - Without it, credentials come from O(auth_file), or from where Docker, Podman and Skopeo keep theirs.
    type: str
  password:
    description: Password or access token that goes with O(username).
    type: str
  auth_file:
    description:
      - A C(config.json) of Docker or an C(auth.json) of Podman on the target, credential helpers included.
      - Without it the first of these that knows the registry is used, E(REGISTRY_AUTH_FILE),
        C(/run/containers/0/auth.json), C(~/.config/containers/auth.json), C(~/.docker/config.json).
    type: path
  validate_certs:
    description:
      - Whether the TLS certificate of the registry in the image name is checked.
      - V(false) never applies to other servers, such as mirrors or where the registry redirects to.
    type: bool
    default: true
  ca_cert:
    description:
      - Certificates of the authorities (PEM) to trust for this registry and its token server,
        in addition to the system's.
      - C(/etc/containers/certs.d/HOST/) and C(/etc/docker/certs.d/HOST/) are honoured without being named.
    type: path
  client_cert:
    description: Certificate (PEM) with which to identify to the registry.
    type: path
  client_key:
    description: Key (PEM) of O(client_cert), if it is not in the same file.
    type: path
  mirrors:
    description:
      - For each registry the mirrors to ask first, in order, as C(host[:port][/prefix]), one or a list.
      - What a mirror sends is checked like anything else; one that sends wrong bytes, or stops in the middle
        of a layer, is passed over with a warning. The registry itself is asked last.
    type: dict
    default: {}
  insecure_registries:
    description:
      - Registries (C(host[:port])) that may be spoken to over plain HTTP, or over HTTPS without a check of
        the certificate.
      - With C(http://) in front, only plain HTTP is tried.
      - Registries on a loopback address need not be listed.
    type: list
    elements: str
    default: []
  token_servers:
    description:
      - Token servers (C(host[:port])) that may see the credentials although the registry has another domain.
    type: list
    elements: str
    default: []
  registry_timeout:
    description: Seconds without progress after which a request or a download is given up and tried again.
    type: float
    default: 15.0
  registry_retries:
    description: How often a request is tried again. A download that got further starts counting anew.
    type: int
    default: 4
"""
