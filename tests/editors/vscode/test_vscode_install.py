"""The environment that "Install" makes, from the wheel in the package. The package index is a folder here."""

import contextlib
import csv
import hashlib
import re
import socket
import zipfile
from importlib import metadata
from pathlib import Path

import psutil
import pytest
from code_window import wait_until
from conftest import recorded
from test_vscode_edits import AREA, DONE, TEXT, take_area
from wire import new_findings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A folder with a wheel of each package that ours needs, made of what is installed here.

    So nothing is downloaded, and llama.cpp is not compiled again.
    """
    folder = tmp_path_factory.mktemp("index")
    for name in needed("lintseq-lsp") - {"lintseq-lsp"}:
        pack(metadata.distribution(name), folder)
    return folder


def needed(name, known=frozenset()):
    """The package and all that it needs, without extras."""
    if name in known or not is_here(name):
        return known
    known = known | {name}
    for requirement in metadata.requires(name) or ():
        if "extra ==" not in requirement:
            known = needed(NAME.match(requirement)[0].lower().replace("_", "-"), known)
    return known


def is_here(name):
    """Packages for other systems and versions are not."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.distribution(name) is not None
    return False


def pack(distribution, folder):
    """Writes the wheel that a package was installed from, but for its scripts, which pip writes."""
    tags = re.findall(r"^Tag: (\S+)", distribution.read_text("WHEEL"), re.MULTILINE)
    pythons, abis, platforms = (
        ".".join(sorted(set(part))) for part in zip(*(tag.split("-") for tag in tags), strict=True)
    )
    name = re.sub(r"[-_.]+", "_", distribution.metadata["Name"])
    wheel = folder / f"{name}-{distribution.version}-{pythons}-{abis}-{platforms}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, *_ in csv.reader(distribution.read_text("RECORD").splitlines()):
            path = Path(distribution.locate_file(file))
            if not file.startswith("..") and path.exists() and path.suffix != ".pyc":
                archive.write(path, file)


@pytest.fixture
def listed(extensions, index):
    """The extension's lists with the checksums of these wheels, as long as the test runs.

    What llama.cpp is built with is not among them.
    """
    (folder,) = extensions.glob("lintseq.lintseq-*/requirements")
    wheels = {wheel.name.split("-")[0].lower(): wheel.read_bytes() for wheel in index.iterdir()}
    before = {path: path.read_text("utf-8") for path in folder.iterdir()}
    for path, text in before.items():
        pins = {
            pin.partition("=")[0].replace("-", "_"): pin
            for pin in re.findall(r"^\S+==\S+", text, re.MULTILINE)
        }
        lines = [
            f"{pin} --hash=sha256:{hashlib.sha256(wheels[name]).hexdigest()}\n"
            for name, pin in pins.items()
            if name in wheels
        ]
        path.write_text("".join(lines), "utf-8")
    yield
    for path, text in before.items():
        path.write_text(text, "utf-8")


@pytest.fixture
def without_server(code, tmp_path):
    """VS Code with no server anywhere, and pip's configuration, which is read whenever pip is started."""
    configuration = tmp_path / "pip.conf"
    code.environment["PIP_CONFIG_FILE"] = str(configuration)
    code.start(recorded(tmp_path, AREA * 100) | {"lintseq.serverPath": "", "lintseq.nextEdit": False})
    path = code.open("area.py", TEXT)
    code.wait_for_status("no server")
    return code, path, configuration


def managed(code):
    return code.profile / "User" / "globalStorage" / "lintseq.lintseq" / "environment"


@pytest.mark.usefixtures("listed")
def test_install_makes_an_environment_and_its_server_is_started(without_server, index, tmp_path):
    code, path, configuration = without_server
    configuration.write_text(f"[global]\nno-index = true\nfind-links = {index}\n")
    code.status.click()
    code.pick("Install the server")
    code.toasts.filter(has_text="Installing the LintSeq server: ").wait_for()
    code.shot("installing")
    code.wait_for_status("ready")
    started = [str(managed(code) / "bin" / "python"), "-I", "-m", "lintseq_lsp"]
    assert started in [arguments(process)[:4] for process in psutil.process_iter()]
    assert code.log().count("Successfully installed") == 3
    assert code.toasts.count() == 0
    take_area(code, path)
    assert new_findings(tmp_path, TEXT, DONE) == []


def test_files_that_are_not_those_that_were_listed_are_refused(without_server, index):
    """The packages of the same names and versions, packed otherwise."""
    code, _, configuration = without_server
    configuration.write_text(f"[global]\nno-index = true\nfind-links = {index}\n")
    code.status.click()
    code.pick("Install the server")
    code.toasts.filter(has_text="could not be installed").wait_for()
    assert "DO NOT MATCH THE HASHES" in code.log()
    assert not managed(code).exists()


def test_an_install_that_fails_or_is_cancelled_leaves_nothing_behind(without_server):
    code, _, configuration = without_server
    configuration.write_text("[global]\nno-index = true\n")
    code.status.click()
    code.pick("Install the server")
    code.toasts.filter(has_text="could not be installed").wait_for()
    code.toasts.filter(has_text="Installing").first.wait_for(state="detached")
    assert not managed(code).exists()
    code.toasts.get_by_text("Open Log", exact=True).click()
    code.page.locator(
        ".part.panel .view-line", has_text=re.compile("No.matching.distribution")
    ).first.wait_for()
    code.shot("install-failed")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an index that never answers
        port = silent.getsockname()[1]
        configuration.write_text(f"[global]\nindex-url = http://127.0.0.1:{port}/simple\n")
        code.command("LintSeq: Install the Server")
        connection, _ = silent.accept()
        with connection:
            pip = [
                process
                for process in psutil.process_iter()
                if str(managed(code)) in " ".join(arguments(process))
            ]
            assert pip
            code.toasts.get_by_text("Cancel", exact=True).click()
            psutil.wait_procs(pip)
            wait_until(lambda: not managed(code).exists(), "the environment to be taken away")
    code.wait_for_status("no server")
    code.toasts.filter(has_text="Installing").first.wait_for(state="detached")
    assert code.toasts.count() == 0


def arguments(process):
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []
