"""What is installed, whether it works, and what mends it when it does not.

Each part is tried, not only looked for: llama.cpp in a process of its own, since a build for another
processor dies at its first instruction; the linter on a text with a known finding; the whole on a
completion, where something must be offered. Nothing raises. Nothing is changed.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lintseq_lsp.errors import ModelError, ServerError
from lintseq_lsp.settings import Settings

if TYPE_CHECKING:
    from lintseq_lsp.linters.base import Surroundings
    from lintseq_lsp.linters.environment import Environment

_PATIENCE = 20.0  # seconds that a model's server may take to say what it is
_SLOW = 5.0  # seconds from start to the first suggestion that nobody should wait for longer

_SERVER = "start the server, or look at lintseq.endpoint, its key (LINTSEQ_API_KEY) and lintseq.model"
_REBUILD = (
    "build it for this machine: pip install --force-reinstall --no-cache-dir --no-binary llama-cpp-python "
    f"llama-cpp-python=={{}} (in the environment of {sys.executable})"
)
_INSTRUCTIONS = {
    "AVX2": "avx2",
    "FMA": "fma",
    "F16C": "f16c",
    "AVX512": "avx512f",
    "AVX512_VNNI": "avx512_vnni",
}
"""llama.cpp's names for what makes it fast, and the kernel's."""

_GPU = (
    "larger models are faster on this machine's NVIDIA GPU: CMAKE_ARGS=-DGGML_CUDA=on, or a wheel for CUDA "
    "(docs/install.md), and lintseq.gpuLayers"
)
_PROBE = """
import json, llama_cpp
described = llama_cpp.llama_print_system_info().decode()
print(json.dumps([llama_cpp.__version__, described, llama_cpp.llama_supports_gpu_offload()]))
"""
_EXAMPLE = '''"""Totals of orders."""


def total(prices: list[float]) -> float:
    """The sum of all prices."""
    result = 0.0
    for price in prices:
        '''


@dataclass(frozen=True, slots=True)
class Line:
    """One thing and its state. `mend` says what to do when it is not `ok`; `faster` what would be faster."""

    name: str
    value: str
    ok: bool = True
    mend: str = ""
    faster: str = ""


def checks(settings: Settings | None = None, file: Path | None = None) -> Iterator[Line]:
    """All lines, each as soon as it is known; at most some seconds. Of `file`, else of a new one here."""
    chosen = settings or Settings()
    parts = (
        *(_python, _llama, _threads, _model, _linter, _project, _environment, _projects_python),
        *(_indentation, _first_suggestion),
    )
    for check in parts:
        yield _tried(check, chosen, (file or Path("untitled.py")).absolute())


def _tried(check: Callable[[Settings, Path], Line], settings: Settings, file: Path) -> Line:
    name = check.__name__.strip("_").replace("_", " ").replace("projects", "project's")
    try:
        return check(settings, file)
    except ServerError as error:
        return Line(name, str(error), ok=False, mend=_SERVER)
    except ModelError as error:
        return Line(
            name, str(error), ok=False, mend="`lintseq-lsp model use NAME` chooses a model that works"
        )
    except Exception as error:  # noqa: BLE001 - whatever is broken here is what the user asked about
        return Line(name, f"{type(error).__name__}: {error}", ok=False, mend="install lintseq-lsp again")


def _python(_settings: Settings, _file: Path) -> Line:
    value = f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}"
    mend = "lintseq-lsp needs Python 3.11 or newer: make an environment with it"
    return Line("Python", value, ok=sys.version_info >= (3, 11), mend=mend)


def _llama(_settings: Settings, _file: Path) -> Line:
    wanted = version("llama-cpp-python")
    probe = subprocess.run(
        [sys.executable, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False
    )
    if probe.returncode:
        last = probe.stderr.strip().rsplit("\n", 1)[-1]
        code = (
            -probe.returncode if probe.returncode < 0 else f"{probe.returncode:#x}"
        )  # Windows has no signals
        value = last or f"{wanted} dies with signal {code}: it was built for another processor"
        return Line("llama.cpp", value, ok=False, mend=_REBUILD.format(wanted))
    release, described, has_gpu = json.loads(probe.stdout)
    features = [
        words[0].rsplit(maxsplit=1)[-1]
        for part in described.split("|")
        if (words := part.strip().rsplit(" = ", 1))[-1] == "1"
    ]
    unused = [name for name, flag in _INSTRUCTIONS.items() if name not in features and _processor_has(flag)]
    value = f"{release}, uses {' '.join(features)}, built for {'CPU and GPU' if has_gpu else 'the CPU only'}"
    rebuild = _REBUILD.format(wanted)
    if "AVX2" in unused:
        return Line("llama.cpp", value, ok=False, mend=rebuild)
    faster = f"this build does not use the processor's {', '.join(unused)}; {rebuild}" if unused else ""
    if not has_gpu and shutil.which("nvidia-smi"):
        faster = faster or _GPU
    return Line("llama.cpp", value, faster=faster)


def _processor_has(flag: str) -> bool:
    """False where the system does not say it in this file."""
    try:
        return flag in Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return False


def _threads(settings: Settings, _file: Path) -> Line:
    counted = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else counted
    used = str(settings.threads) if settings.threads else "chosen automatically"
    mend = "more threads than processors wait for each other: set lintseq.threads to 0"
    return Line(
        "threads", f"{used}, {usable} of {counted} processors usable", settings.threads <= usable, mend
    )


def _model(settings: Settings, _file: Path) -> Line:
    if settings.endpoint:
        return _endpoint(settings)
    if settings.model.startswith("scripted:"):
        return Line("model", f"a recording: {settings.model.removeprefix('scripted:')}")
    from lintseq_lsp.formats.base import Task
    from lintseq_lsp.weights.gguf_header import SLOW, checksum, verify
    from lintseq_lsp.weights.registry import resolve_model

    model = resolve_model(settings.model or None, prompt_format=settings.prompt_format)
    megabytes = model.path.stat().st_size / 1e6
    state = "as recorded" if model.sha256 else "not recorded"
    slow = f", {SLOW}" if verify(model.path).has_state else ""
    does = [task.words for task in Task if task in model.prompt_format.tasks]
    return Line(
        "model",
        f"{model.name}, {megabytes:.1f} MB, context {model.context}, prompt format "
        f"{model.prompt_format.name} ({', '.join(does) or 'nothing'}){slow}, "
        f"sha256 {(model.sha256 or checksum(model.path))[:12]} ({state}), {model.path}",
    )


def _endpoint(settings: Settings) -> Line:
    """What answers at the endpoint, and how fast it says that it is there."""
    from lintseq_lsp.backends.base import Ability
    from lintseq_lsp.runtime import open_endpoint

    remote, prompt_format, _ = open_endpoint(settings, patience=_PATIENCE)
    try:
        value = f"{remote.name} of the {remote.kind} at {remote.url}, context {remote.context}"
        if settings.prompt_format:
            why = "as lintseq.promptFormat says"
        elif Ability.VOCABULARY in remote.abilities:
            why = "chosen by its vocabulary and name"
        else:
            why = "chosen by its name only: lintseq.promptFormat overrides it"
        value += f", prompt format {prompt_format.name} ({why})"
        value += f", {remote.round_trip() * 1000:.0f} ms round trip"
    except ServerError as error:
        return Line("model", str(error), ok=False, mend=_SERVER)
    finally:
        remote.close()
    return Line("model", value)


def _linter(settings: Settings, file: Path) -> Line:
    from lintseq_lsp.linters.base import Check
    from lintseq_lsp.runtime import open_linter

    linter = open_linter(settings, first=str(file))
    try:
        start = time.perf_counter()
        cold = linter.submit(Check("print(unknown)\n", str(file), timeout=30.0)).result()
        first = time.perf_counter() - start
        warm = linter.submit(Check("print(unknown)\n", str(file), timeout=30.0)).result()
    finally:
        linter.close()
    names = f"pylint {version('pylint')}, astroid {version('astroid')}"
    mend = "without a linter nothing is suggested: install lintseq-lsp again"
    failure = cold.failure or warm.failure
    if failure:
        return Line("linter", f"{names}: {failure}", ok=False, mend=mend)
    found = [finding.symbol for finding in warm.findings]
    value = f"{names}, started in {first:.1f} s, a small check takes {warm.milliseconds:.0f} ms"
    if found != ["undefined-variable"]:
        return Line(
            "linter", f"{names} reports {found} for a text with one undefined name", ok=False, mend=mend
        )
    return Line("linter", value)


def _project(settings: Settings, file: Path) -> Line:
    around = _found(settings, file)[0]
    outer = f", inside {', '.join(around.projects[1:])}" if around.projects[1:] else ""
    sources = ", ".join([*around.beside, *around.roots])
    return Line("project", f"{around.projects[0]}{outer}; modules are looked for in {sources}")


def _environment(settings: Settings, file: Path) -> Line:
    found = _found(settings, file)[1]
    python = ".".join(map(str, found.python_version)) if found.python_version else "of unknown version"
    packages = ", ".join(map(str, found.site_packages)) or "no packages"
    if found.origin == "script":
        packages = "its own packages, which are not known: imports of them are not reported"
    value = f"imports are resolved with Python {python} of the {found.origin}: {packages}"
    mend = "set lintseq.python to an interpreter, and repair or remove the files that are named"
    return Line("environment", "; ".join([*found.warnings, value]), ok=not found.warnings, mend=mend)


def _projects_python(settings: Settings, file: Path) -> Line:
    from lintseq_lsp.linters.requires import project_python, script_python

    around, found = _found(settings, file)
    version, source = found.python_version, "by its environment"
    if found.origin in ("server", "script"):
        required = script_python(_text_of(file)) or project_python(around.projects)
        version, source = (
            required or sys.version_info[:2],
            "by what it requires" if required else "the server's",
        )
    if version is None:
        return Line("project's Python", "not known: the server's is used")
    if version == sys.version_info[:2]:
        known = "known"
    else:
        where = found.standard_library
        known = (
            f"read from {where}, except compiled modules"
            if where
            else "not known, except the names of its modules"
        )
    newer = "; newer syntax than the server's is not checked" if version > sys.version_info[:2] else ""
    value = f"{version[0]}.{version[1]}, {source}; its standard library is {known}{newer}"
    return Line("project's Python", value)


def _indentation(_settings: Settings, file: Path) -> Line:
    from lintseq_lsp.text import Document

    unit = Document(_text_of(file)).indent
    return Line("indentation", "tabs" if unit == "\t" else f"{len(unit)} spaces")


def _found(settings: Settings, file: Path) -> "tuple[Surroundings, Environment]":
    from lintseq_lsp.linters.environment import read_environment
    from lintseq_lsp.linters.project import project_of

    project = project_of(str(file), _text_of(file), setting=settings.python)
    return project.around, read_environment(project.search)


def _text_of(file: Path) -> str:
    """Of a file that is there; a new one is empty."""
    from lintseq_lsp.encoding import decode

    try:
        return decode(file.read_bytes())
    except (FileNotFoundError, SyntaxError):
        return ""


def _first_suggestion(settings: Settings, file: Path) -> Line:
    from lintseq_lsp.runtime import open_engine
    from lintseq_lsp.text import Document

    start = time.perf_counter()
    engine = open_engine(settings, first=str(file))
    try:
        outcome = engine.complete(Document(_EXAMPLE, None, str(file)), len(_EXAMPLE))
    finally:
        engine.close()
    seconds = time.perf_counter() - start
    name = "first suggestion"
    if not outcome.suggestions:
        why = " ".join(filter(None, (outcome.reason.value, outcome.detail)))
        mend = (
            "a suitable model suggests something here: choose another one "
            "(`lintseq-lsp model use NAME`) or install lintseq-lsp again"
        )
        return Line(name, f"no suggestion in {seconds:.1f} s ({why})", ok=False, mend=mend)
    answer = outcome.suggestions[0].replacements[0].text
    mend = "`lintseq-lsp bench` shows where the time goes; a smaller model is faster"
    return Line(name, f"{seconds:.1f} s from the start: {answer!r}", seconds <= _SLOW, mend)
