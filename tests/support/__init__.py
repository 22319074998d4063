"""Fixtures and helpers that tests of several folders share; imports `src` and test libraries, and no test.

`tests/conftest.py` names the modules with fixtures as pytest plugins: a fixture is asked for by name, never imported.
"""
