"""The examples in the docstrings run and say what they show."""

import doctest
import importlib
import pkgutil

import pytest

import tnness

MODULES = sorted(module.name for module in pkgutil.walk_packages(tnness.__path__, "tnness."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    failures, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failures == 0
