"""What holds for every test: no model, cache or setting of the user who runs it counts."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No test is about time. CI runs the same examples each time: what fails there fails again.
settings.register_profile("lintseq", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("lintseq")


@pytest.fixture(autouse=True, scope="session")
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's folders are empty ones. The processes that tests start inherit them."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patched:
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            patched.setenv(name, str(home / name.lower()))
        yield
