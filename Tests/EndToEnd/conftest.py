"""Fixtures for every test in this folder.

`script/test e2e` provides Postgres and Redis (DATABASE_URL, REDIS_URL) and the built commands. The processes that the
tests share start before the tests are collected, so that every test file finds these in the environment:

STRIPE_SIMULATOR_URL                       a simulator with its default credentials, for tests of the simulator itself
LICENSEKIT_BASE_URL, LICENSEKIT_API_TOKEN  the product, which has a simulator of its own

Each test has its own vendor.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from support.product import Product
from support.simulator import DEFAULT_APP, Simulator
from support.stack import Stack
from support.vendor import Vendor

_folder = pytest.StashKey[tempfile.TemporaryDirectory]()
_simulator = pytest.StashKey[Simulator]()
_stack = pytest.StashKey[Stack]()
_problem = pytest.StashKey[Exception]()


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    stash = session.config.stash
    stash[_folder] = tempfile.TemporaryDirectory(prefix="lk-e2e.")
    folder = Path(stash[_folder].name)
    stash[_simulator] = Simulator(folder / "alone", DEFAULT_APP).start()
    os.environ["STRIPE_SIMULATOR_URL"] = stash[_simulator].url
    try:
        stack = Stack(folder / "shared").start()
    except Exception as problem:  # each test that needs the product reports it
        stash[_problem] = problem
        return
    stash[_stack] = stack
    os.environ["LICENSEKIT_BASE_URL"] = stack.product.url
    os.environ["LICENSEKIT_API_TOKEN"] = stack.product.secrets.api_token


def pytest_sessionfinish(session: pytest.Session) -> None:
    stash = session.config.stash
    if _stack in stash:
        stash[_stack].close()
    if _simulator in stash:
        stash[_simulator].close()
    if _folder in stash:
        stash[_folder].cleanup()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """A failed test shows the end of the product's log beside the failure."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        stack = item.funcargs.get("fresh_stack") or item.config.stash.get(_stack, None)
        if stack is not None:
            for product in stack.products:
                report.sections.append((f"log of {product.process.name}", product.process.log_tail(40)))


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Stack:
    """The simulator and the product that most tests share. Each test has a vendor of its own."""
    if _stack not in pytestconfig.stash:
        raise RuntimeError("the product did not start") from pytestconfig.stash[_problem]
    return pytestconfig.stash[_stack]


@pytest.fixture(scope="session")
def product(stack: Stack) -> Product:
    return stack.product


@pytest.fixture
def fresh_stack(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A simulator and a product for one test alone, for tests that kill, disturb or multiply them. A parameter is the
    API version of the webhook endpoint."""
    stack = Stack(tmp_path, api_version=getattr(request, "param", None))
    try:
        yield stack.start()
    finally:
        stack.close()


@pytest.fixture
def vendor(stack: Stack) -> Vendor:
    """A vendor that has just installed the app."""
    return stack.new_vendor()
