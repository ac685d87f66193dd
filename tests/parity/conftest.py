"""Parity needs torch and a minute: collected only when it is asked for by its path."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    del collection_path
    return None if any("parity" in argument for argument in config.args) else True
