# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Make this checkout importable as `ansible_collections.coracle.engine`, wherever it lies, without Ansible.

Tests import the code as `ansible_collections.coracle.engine.plugins.module_utils…` and shared test helpers as
`ansible_collections.coracle.engine.tests…`.

With CI set a skipped test fails: there, everything that a test needs has to be installed. A test that makes
no sense on this kernel or Python skips with a reason that begins with `not applicable`.
"""

from __future__ import annotations

import importlib.machinery
import os
import pathlib
import sys
import types
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _make_collection_importable() -> None:
    nowhere = str(ROOT / ".none")
    for name, path in (
        ("ansible_collections", nowhere),
        ("ansible_collections.coracle", nowhere),
        ("ansible_collections.coracle.engine", str(ROOT)),
    ):
        module = types.ModuleType(name)
        module.__path__ = [path]
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        module._collection_meta = {}  # type: ignore[attr-defined] # asked for by Ansible's own finder
        sys.modules[name] = module


_make_collection_importable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> t.Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not os.environ.get("CI") or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith("not applicable"):
        report.outcome = "failed"
        report.longrepr = f"skipped although CI is set: {reason}"
