"""`lintseq-lsp bench`: its sections, and the machine that they ran on."""

import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.bench import engine, environments, gate, llama, server
from lintseq_lsp.bench.values import Plan, Result, Results
from lintseq_lsp.weights.registry import resolve_model

_log = logging.getLogger(__name__)

Section = Callable[[Plan], Results]

SECTIONS: Mapping[str, Section] = {
    "start": server.start,
    "cached": server.cached,
    "check": gate.check,
    "environments": environments.environments,
    "typing": engine.typing,
    "cancel": engine.cancel,
    "sequence": gate.sequence,
    "writing": llama.writing,
    "memory": server.memory,
}


def run(plan: Plan, names: Sequence[str], *, sections: Mapping[str, Section] = SECTIONS) -> Results:
    """The results of the sections, as they come. One that fails is a result without values."""
    for name in names:
        try:
            yield from sections[name](plan)
        except Exception as error:  # noqa: BLE001 - whatever breaks one section, the others are still wanted
            _log.info("section %s failed", name, exc_info=error)
            yield Result(name, "", note=f"failed: {error or type(error).__name__}")


def machine(plan: Plan) -> dict[str, Any]:
    """What the figures depend on. The load is the system's mean over 1, 5 and 15 minutes."""
    model = resolve_model(plan.model or None)
    backend = LlamaBackend(model.path, context=model.context)
    try:
        threads = llama.threads_used(backend)
    finally:
        backend.close()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load": [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        **{name: version(name) for name in ("pylint", "astroid", "llama-cpp-python", "numpy")},
        "llama.cpp": llama.build_features(),
        "threads": {"write": threads[0], "read": threads[1]},
        "model": str(model.path),
        "model bytes": model.path.stat().st_size,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a file of Linux only
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
