# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The container engine: a plain library that has never heard of Ansible. This is the map of its ladder.

    errors paths      words                                                       rung 0
    linux/            what the kernel offers                                      rung 1
    oci/              OCI documents as values, no I/O                             rung 1
    state/            the SQLite file: open, migrate, transaction                 rung 1
    content/          image bytes at rest: blobs, image records, garbage          rung 2
    layers/           file trees: headers, whiteouts, extraction, snapshots       rung 2
    registry/         image bytes elsewhere: transport, credentials, client       rung 2
    volume/           named volumes                                               rung 2
    network/          networks, links, addresses, ports, firewall, names          rung 2
    container/        one container: what was asked, the runtime's view, status   rung 2
    engine            two roots and their state file, opened lazily               between 2 and 3
    copying/          files on their way into a container and out of it           between 2 and 3
    operations/       one file, one verb                                          rung 3
    reconcile/        desired against actual: differences, plans, steps           rung 4
    agent/            what stays on the host: exits, boot, logs                   rung 4
    command/          `coracle`, the command on the host: the words of `docker`   between 4 and 5

Imports go down only, and on rungs 1 and 2 areas do not know each other; `tests/unit/test_layering.py` holds
it. Above stands `module/`, the Ansible face: the only files that import ansible.

The same files run from the payload of a task and from a zipapp on the host, so inside `module_utils` imports
are relative. What is costly to import (`sqlite3`, `http.client`, `ssl`, `tarfile`) is imported by the
function that needs it: a task that changes nothing must not pay for it.
"""
