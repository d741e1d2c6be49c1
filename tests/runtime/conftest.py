"""Each test runs in a context of its own: a policy call that one enters is over when it ends."""

from __future__ import annotations

import contextvars

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    contextvars.copy_context().run(pyfuncitem.obj, **arguments)
    return True
