"""The benchmark of several projects: two environments, and a library that takes long to read."""

import tempfile
import time
from pathlib import Path

import psutil

from lintseq_lsp.bench.values import Plan, Result, Results
from lintseq_lsp.linters.base import Check
from lintseq_lsp.linters.router import Router
from lintseq_lsp.settings import Settings

_CLASSES = 400
_CLASS = """

class C{number}:
    def method(self, first, second=1):
        values = [first, second]
        return {{"values": values, "number": {number}}}
"""
_TEXT = "import heavy\n\nprint(heavy.frame())\n"
_PATIENCE = 60.0


def environments(plan: Plan) -> Results:
    """A library of as many lines as pandas is read for the first time, while others want something."""
    settings, modules = Settings(), plan.times(60, 10)
    with tempfile.TemporaryDirectory() as folder:
        one, two = (_project(Path(folder, name), modules) for name in ("one", "two"))
        router = Router(memory_limit=2**30)
        try:
            for project in (one, two):
                router.submit(Check("x = 1\n", str(project / "a.py"), timeout=_PATIENCE)).result()
            start = time.perf_counter()
            heavy = router.submit(Check(_TEXT, str(one / "heavy_use.py"), timeout=settings.gate_timeout))
            elsewhere = [_small(router, two, number) for number in range(10)]
            beside = [_small(router, one, number) for number in range(10)]
            tries = 1
            while heavy.result().failure and tries < 100:
                heavy = router.submit(Check(_TEXT, str(one / "heavy_use.py"), timeout=settings.gate_timeout))
                tries += 1
            seconds = time.perf_counter() - start
            again = router.submit(Check(_TEXT, str(one / "heavy_use.py"), timeout=_PATIENCE)).result()
            resident = [psutil.Process(number).memory_info().rss / 1e6 for number in router.process_ids()]
        finally:
            router.close()
    note = f"{modules} modules of {_CLASSES * 6:,} lines"
    yield Result(
        "first use of a large library, until it is judged", "s", (seconds,), note=f"{tries} tries, {note}"
    )
    yield Result("meanwhile: a small file of another environment", "ms", tuple(elsewhere))
    yield Result("meanwhile: a small file of the same environment", "ms", tuple(beside))
    yield Result("its second use", "ms", (again.milliseconds,))
    yield Result(
        "memory of one environment's linter", "MB", tuple(resident), note="with the library, without"
    )


def _small(router: Router, project: Path, number: int) -> float:
    check = Check(f"x = {number}\n", str(project / "a.py"), timeout=_PATIENCE)
    start = time.perf_counter()
    router.submit(check).result()
    return (time.perf_counter() - start) * 1000


def _project(folder: Path, modules: int) -> Path:
    """One with an environment, in which the library is."""
    heavy = folder / ".venv" / "Lib" / "site-packages" / "heavy"
    heavy.mkdir(parents=True)
    (folder / ".venv" / "pyvenv.cfg").write_text("version = 3.11.0\n", "utf-8")
    body = "".join(_CLASS.format(number=number) for number in range(_CLASSES))
    for number in range(modules):
        origin = f"from .part{number - 1} import frame\n" if number else "def frame():\n    return 1\n"
        (heavy / f"part{number}.py").write_text(origin + body, "utf-8")
    (heavy / "__init__.py").write_text(f"from .part{modules - 1} import frame\n", "utf-8")
    return folder
