"""What decides the linter's findings, beside the program: of this machine."""

import hashlib
import platform
from importlib.metadata import distributions, version
from typing import Any

from lintseq_lsp import __version__
from lintseq_lsp.linters.environment import Environment


def versions(environment: Environment) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "environment": described(environment),
        "astroid": version("astroid"),
        "pylint": version("pylint"),
        "lintseq_lsp": __version__,
    }


def described(environment: Environment) -> str:
    """Without where it was found, which makes no difference to the sequences."""
    number = environment.python_version
    python = ".".join(map(str, number)) if number else "of unknown version"
    return f"Python {python}: {', '.join(map(str, environment.site_packages)) or 'no packages'}"


def packages_digest(environment: Environment) -> str:
    """Of what is installed, in which version."""
    found = distributions(path=[str(path) for path in environment.site_packages])
    names = sorted(f"{each.name}=={each.version}" for each in found)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
