"""What holds for every test: no model, cache or setting of the user who runs it counts."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from lsp_client import Client
from lsp_editor import FAKE, ROOT

# No test is about time. CI runs the same examples each time: what fails there fails again.
settings.register_profile("lintseq", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("lintseq")


@pytest.fixture(autouse=True, scope="session")
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's folders are empty ones. The processes that tests start inherit them."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patched:
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patched.setenv(name, str(home / name.lower()))
        yield


@pytest.fixture
def client() -> Iterator[Client]:
    """A server of its own, whose engine obeys the documents."""
    with Client(FAKE, cwd=ROOT) as running:
        running.initialize()
        yield running


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """The same for all tests of a module: for what leaves nothing behind."""
    with Client(FAKE, cwd=ROOT) as running:
        running.initialize()
        yield running
