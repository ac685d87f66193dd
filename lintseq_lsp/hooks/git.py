"""A file as git has it. Git is asked for an object alone, so that nothing runs which a repository names."""

import os
import shutil
import subprocess
from pathlib import Path

from lintseq_lsp.encoding import decode

_TIMEOUT = 5.0


def staged(path: str) -> str | None:
    """The text in git's index, which is the closest to what was worked on; None where git has none.

    Not of the last commit: what was staged since is nobody's new edit.
    """
    folders = [folder for folder in os.get_exec_path() if Path(folder).is_absolute()]
    git = shutil.which("git", path=os.pathsep.join(folders))
    file = Path(path)
    if git is None or not Path(git).is_absolute():
        return None
    command = [
        git,
        "-C",
        str(file.parent),
        "-c",
        "core.fsmonitor=false",
        "cat-file",
        "blob",
        f":./{file.name}",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            command, cwd=file.anchor, env=environment, capture_output=True, timeout=_TIMEOUT, check=True
        )
        return decode(done.stdout)
    except (OSError, subprocess.SubprocessError, SyntaxError, ValueError):
        return None
