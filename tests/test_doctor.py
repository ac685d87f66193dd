"""The doctor names what is wrong, with the mend, and goes on to the next part."""

import sys
from pathlib import Path

import pytest
from fakes import ImmediateLinter
from model_server import answers, goes_on, serving, streams
from typer.testing import CliRunner

from lintseq_lsp import doctor
from lintseq_lsp.commands import app
from lintseq_lsp.doctor import Line, checks
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.settings import Settings

NAMES = [
    *("Python", "llama.cpp", "threads", "model", "linter", "project", "environment", "project's Python"),
    *("indentation", "first suggestion"),
]


def diagnosed(settings: Settings | None = None, file: Path | None = None) -> dict[str, Line]:
    return {line.name: line for line in checks(settings, file)}


def test_everything_is_tried_and_works(tmp_path: Path) -> None:
    lines = diagnosed(file=tmp_path / "a.py")
    assert list(lines) == NAMES
    slow = lines.pop("first suggestion")  # whether it is fast is no matter of a test
    assert [line for line in lines.values() if not line.ok] == []
    assert "from the start" in slow.value
    assert "pylint" in lines["linter"].value
    assert "as recorded" in lines["model"].value


def recording(folder: Path, written: str) -> Settings:
    """The settings for a model that writes this line where the example is to be continued."""
    file = folder / "recording.txt"
    file.write_text(f"8 @@\n+        {written}\n<|diff|>\n")
    return Settings(model=f"scripted:{file}")


@pytest.mark.usefixtures("without_pool")
def test_a_first_suggestion_must_come(tmp_path: Path) -> None:
    came = diagnosed(recording(tmp_path, "result += price"), tmp_path / "a.py")["first suggestion"]
    assert "from the start: 'result += price'" in came.value
    none = diagnosed(recording(tmp_path, "result += prise"), tmp_path / "a.py")["first suggestion"]
    assert not none.ok
    assert "no suggestion in" in none.value
    assert "new-findings" in none.value
    assert "model use" in none.mend


@pytest.mark.usefixtures("without_pool")
def test_silence_at_the_cursor_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lintseq_lsp.completion.in_string_or_comment", lambda _: True)
    line = diagnosed(recording(tmp_path, "result += price"), tmp_path / "a.py")["first suggestion"]
    assert not line.ok
    assert "in-string-or-comment" in line.value


@pytest.fixture
def without_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """The linter is the quick check alone, which no process has to start for."""

    def opened(*_: object, **__: object) -> ImmediateLinter:
        return ImmediateLinter(check_syntax)

    monkeypatch.setattr("lintseq_lsp.runtime.open_linter", opened)


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the parts that start something."""

    def skipped(_settings: Settings, _file: Path) -> Line:
        return Line("skipped", "")

    for name in ("_linter", "_first_suggestion"):
        monkeypatch.setattr(doctor, name, skipped)


@pytest.mark.usefixtures("light")
def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    lines = diagnosed(Settings(model=str(tmp_path / "no.gguf")))
    assert not lines["model"].ok
    assert "no.gguf" in lines["model"].value
    assert "model use" in lines["model"].mend
    assert lines["environment"].ok


@pytest.mark.usefixtures("without_pool")
def test_a_models_server_is_asked_what_it_is(tmp_path: Path) -> None:
    with serving() as server:
        server.as_llama(goes_on("result += price\n", "<|diff|>"))
        server.routes["/v1/models"] = answers({"data": []})
        lines = diagnosed(Settings(endpoint=server.url), tmp_path / "a.py")
        assert lines["model"].ok
        known = (
            f"tiny.gguf of the llama-server at {server.url}, context 512, prompt format paper-1 "
            "(chosen by its vocabulary and name), "
        )
        assert lines["model"].value.startswith(known)
        assert "result += price" in lines["first suggestion"].value
    lines = diagnosed(Settings(endpoint=server.url), tmp_path / "a.py")
    for line in (lines["model"], lines["first suggestion"]):
        assert (line.ok, "lintseq.endpoint" in line.mend, server.url in line.value) == (False, True, True)


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize(
    ("model", "wanted", "said"),
    [
        ("Qwen/Qwen2.5-Coder-1.5B", "", "fim-qwen-repo (chosen by its name only: lintseq.promptFormat over"),
        ("some/model", "", "plain (chosen by its name only: lintseq.promptFormat overrides it)"),
        ("some/model", "fim-qwen", "fim-qwen (as lintseq.promptFormat says)"),
    ],
)
def test_it_says_how_a_model_is_asked_of_which_only_the_name_is_known(
    model: str, wanted: str, said: str
) -> None:
    with serving() as server:
        server.as_openai(streams(), model)
        line = diagnosed(Settings(endpoint=server.url, prompt_format=wanted))["model"]
    assert line.ok
    assert line.value.startswith(f"{model} of the OpenAI-compatible server at {server.url}, context 256, ")
    assert f", prompt format {said}" in line.value


@pytest.mark.usefixtures("light")
def test_settings_that_cannot_be_followed(tmp_path: Path) -> None:
    lines = diagnosed(Settings(python=str(tmp_path / "nowhere"), threads=10_000))
    assert not lines["environment"].ok
    assert "lintseq.python" in lines["environment"].mend
    assert not lines["threads"].ok
    assert "lintseq.threads" in lines["threads"].mend


@pytest.mark.usefixtures("light")
def test_a_file_of_the_environment_that_cannot_be_read(tmp_path: Path) -> None:
    packages = tmp_path / ".venv" / "Lib" / "site-packages"
    (packages / "folder.pth").mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("version = 3.12.1\n")
    line = diagnosed(file=tmp_path / "a.py")["environment"]
    assert not line.ok
    assert "folder.pth" in line.value
    assert "imports are resolved with Python 3.12" in line.value


@pytest.mark.usefixtures("light")
def test_what_a_file_is_answered_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(variable, raising=False)
    project = tmp_path / "top" / "packages" / "web"
    file = project / "scripts" / "tool.py"
    file.parent.mkdir(parents=True)
    file.write_text("if True:\n  x = 1\n")
    (project.parents[1] / "pyproject.toml").touch()
    (project / "pyproject.toml").write_text("[project]\nrequires-python = '>=3.9'\n")
    lines = diagnosed(file=file)
    assert lines["project"].value == (
        f"{project}, inside {project.parents[1]}; "
        f"modules are looked for in {file.parent}, {project}, {project.parents[1]}"
    )
    assert "of the server" in lines["environment"].value
    assert lines["project's Python"].value.startswith("3.9, by what it requires; ")
    assert "not known, except the names of its modules" in lines["project's Python"].value
    assert lines["indentation"].value == "2 spaces"

    base = tmp_path / "base"
    (base / "bin").mkdir(parents=True)
    standard = base / "lib" / "python3.12"
    standard.mkdir(parents=True)
    (standard / "os.py").touch()
    environment = project.parents[1] / ".venv"
    (environment / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text(f"home = {base / 'bin'}\nversion = 3.12.1\n")
    lines = diagnosed(file=file)
    assert "Python 3.12 of the workspace (.venv)" in lines["environment"].value
    known = f"3.12, by its environment; its standard library is read from {standard}"
    assert lines["project's Python"].value.startswith(known)

    file.write_text("# /// script\n# dependencies = ['rich']\n# ///\nif True:\n\tx = 1\n")
    lines = diagnosed(file=file)
    assert "its own packages, which are not known" in lines["environment"].value
    assert lines["indentation"].value == "tabs"


@pytest.mark.usefixtures("light")
@pytest.mark.skipif(sys.platform == "win32", reason="processes do not die by signals there")
def test_a_llama_that_was_built_for_another_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PROBE", "import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    line = diagnosed()["llama.cpp"]
    assert not line.ok
    assert "another processor" in line.value
    assert "pip install" in line.mend


@pytest.mark.usefixtures("light")
def test_a_llama_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PROBE", "raise ImportError('libllama.so is gone')")
    line = diagnosed()["llama.cpp"]
    assert not line.ok
    assert "libllama.so is gone" in line.value


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize(
    ("uses", "gpu", "tools", "told"),
    [
        ("AVX2 FMA F16C", False, [], "does not use the processor's AVX512, AVX512_VNNI"),
        ("AVX2 FMA F16C AVX512 AVX512_VNNI", False, [], ""),
        ("AVX2 FMA F16C AVX512 AVX512_VNNI", False, ["nvidia-smi"], "-DGGML_CUDA=on"),
        ("AVX2 FMA F16C AVX512 AVX512_VNNI", True, ["nvidia-smi"], ""),
    ],
)
def test_what_would_be_faster_is_told(
    uses: str, gpu: bool, tools: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = "CPU : " + " | ".join(f"{name} = 1" for name in uses.split())
    monkeypatch.setattr(doctor, "_PROBE", f"import json; print(json.dumps(['1.0', {described!r}, {gpu}]))")
    monkeypatch.setattr(doctor, "_processor_has", lambda _: True)
    monkeypatch.setattr("shutil.which", lambda name: name if name in tools else None)
    line = diagnosed()["llama.cpp"]
    assert line.ok
    assert f"1.0, uses {uses}, built for {'CPU and GPU' if gpu else 'the CPU only'}" in line.value
    assert told in line.faster
    assert bool(line.faster) == bool(told)


@pytest.mark.usefixtures("light")
def test_a_build_that_is_slow_on_this_processor_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PROBE", 'print(\'["1.0", "CPU : SSE3 = 1", false]\')')
    monkeypatch.setattr(doctor, "_processor_has", lambda _: True)
    line = diagnosed()["llama.cpp"]
    assert not line.ok
    assert "--no-binary llama-cpp-python" in line.mend


def test_whatever_breaks_is_a_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("lintseq_lsp.runtime.open_linter", broken)
    lines = diagnosed()
    assert list(lines) == NAMES
    for name in ("linter", "first suggestion"):
        assert not lines[name].ok
        assert "broken" in lines[name].value


@pytest.mark.usefixtures("light")
def test_the_command_prints_the_mend_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    well = CliRunner().invoke(app, ["doctor"])
    assert well.exit_code == 0, well.output
    assert "pip install" not in well.output
    ill = CliRunner().invoke(app, ["doctor", "--model", "no.gguf"])
    assert ill.exit_code == 1
    assert "model use" in ill.output
