# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A job of a crew finds everything that it needs in memory."""

from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.tests.integration.container.harbour import IMAGE_NAME, Harbour

JOB = """
image_id, name = arguments
config = load("container.config").ContainerConfig(command=["sleep", "1000"], network_mode="bridge")
image = load("content.images").find_image(engine.records, image_id)
verb("install_agent")(engine)  # the first task on a host brings it
verb("load_verbs")(engine, network=True)
before = set(sys.modules)
verb("create_container")(engine, "one", config, image, name)
verb("start_container")(engine, "one")
verb("remove_container")(engine, "one")
new = set(sys.modules) - before
print(sorted(name for name in new if name.startswith(("ansible_collections.", "pyroute2"))))
"""


@pytest.mark.usefixtures("host")
def test_nothing_is_imported_by_a_job(harbour: Harbour) -> None:
    done = harbour.run_python(JOB, harbour.image.id, IMAGE_NAME)
    assert (done.stdout, done.stderr) == ("[]\n", "")
