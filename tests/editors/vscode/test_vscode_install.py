"""The environment that "Install" makes, from the wheel in the package.

PyPI is a folder here, and the public index of ready-made wheels of llama.cpp is a server of ours.
"""

import contextlib
import csv
import functools
import hashlib
import http.server
import io
import re
import socket
import tarfile
import threading
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


class Site(http.server.ThreadingHTTPServer):
    """An index of wheels in a folder, `FOLDER/PACKAGE/`. Keeps the paths that it was asked for."""

    def __init__(self, folder):
        self.asked = []
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=folder))

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        self.server.asked.append(self.path)


@pytest.fixture
def site(tmp_path):
    """The public index of ready-made wheels, without any."""
    (tmp_path / "public").mkdir()
    site = Site(tmp_path / "public")
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    yield site
    site.shutdown()
    site.server_close()
    thread.join()


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
def without_server(code, site, tmp_path):
    """VS Code with no server anywhere, and pip's configuration, which is read whenever pip is started."""
    configuration = tmp_path / "pip.conf"
    code.environment["PIP_CONFIG_FILE"] = str(configuration)
    code.start(
        recorded(tmp_path, AREA * 100)
        | {"lintseq.serverPath": "", "lintseq.nextEdit": False, "lintseq.llamaIndex": site.address}
    )
    path = code.open("area.py", TEXT)
    code.wait_for_status("no server")
    return code, path, configuration


def managed(code):
    return code.profile / "User" / "globalStorage" / "lintseq.lintseq" / "environment"


def begin(code, way):
    code.status.click()
    code.pick("Install the server")
    code.rows.filter(has_text=way).wait_for()
    code.page.mouse.move(0, 0)  # the tooltip of what is below it would cover the list, and what pops up
    code.shot("install-choice")
    code.pick(way)
    code.page.mouse.move(0, 0)


READY_MADE, BUILD = "Take a ready-made llama.cpp", "Build llama.cpp here"


@pytest.mark.usefixtures("listed")
def test_install_makes_an_environment_and_its_server_is_started(without_server, index, site, tmp_path):
    code, path, configuration = without_server
    configuration.write_text(f"[global]\nno-index = true\nfind-links = {index}\n")
    begin(code, BUILD)
    code.toasts.filter(has_text="Installing the LintSeq server: ").wait_for()
    code.shot("installing")
    code.wait_for_status("ready")
    started = [str(managed(code) / "bin" / "python"), "-I", "-m", "lintseq_lsp"]
    assert started in [arguments(process)[:4] for process in psutil.process_iter()]
    assert code.log().count("Successfully installed") == 3
    assert site.asked == []
    assert code.toasts.count() == 0
    take_area(code, path)
    assert new_findings(tmp_path, TEXT, DONE) == []


@pytest.fixture
def public(without_server, index, site, tmp_path):
    """PyPI with all but llama.cpp. For that, the folders of the public index and of PyPI, both empty."""
    _, _, configuration = without_server
    (others := tmp_path / "others").mkdir()
    for wheel in index.glob("*.whl"):
        if not wheel.name.startswith("llama"):
            (others / wheel.name).symlink_to(wheel)
    configuration.write_text(f"[global]\nindex-url = {site.address}/pypi\nfind-links = {others}\n")
    ready_made, pypi = (
        tmp_path / "public" / "llama-cpp-python",
        tmp_path / "public" / "pypi" / "llama-cpp-python",
    )
    ready_made.mkdir()
    pypi.mkdir(parents=True)
    return ready_made, pypi


@pytest.mark.usefixtures("listed")
def test_a_ready_made_llama_comes_from_its_index_and_nothing_else_does(without_server, public, index, site):
    """It is on no list of checksums."""
    code, *_ = without_server
    ready_made, _ = public
    (llama,) = index.glob("llama_cpp_python-*")
    with zipfile.ZipFile(ready_made / llama.name, "w") as archive, zipfile.ZipFile(llama) as wheel:
        for name in wheel.namelist():
            archive.writestr(name, wheel.read(name))
    begin(code, READY_MADE)
    code.wait_for_status("ready")
    assert {path for path in site.asked if not path.startswith("/pypi/")} == {
        "/llama-cpp-python/",
        f"/llama-cpp-python/{llama.name}",
    }
    assert "/pypi/llama-cpp-python/" not in site.asked


@pytest.mark.usefixtures("listed")
def test_one_that_does_not_load_is_built_instead(without_server, public, index, site):
    """As one for another C library does not."""
    code, *_ = without_server
    ready_made, pypi = public
    (llama,) = index.glob("llama_cpp_python-*")
    (pypi / llama.name).symlink_to(llama)
    version = metadata.version("llama_cpp_python")
    about = f"llama_cpp_python-{version}.dist-info"
    with zipfile.ZipFile(ready_made / f"llama_cpp_python-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("llama_cpp/__init__.py", "raise OSError('libc.musl-x86_64.so.1')\n")
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: {version}\n"
        )
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    begin(code, READY_MADE)
    code.wait_for_status("ready")
    assert f"/pypi/llama-cpp-python/{llama.name}" in site.asked


@pytest.mark.usefixtures("listed")
def test_without_a_compiler_the_error_says_what_to_install(without_server, public, extensions, site):
    """Of llama.cpp there are only sources, whose build fails as CMake does."""
    code, *_ = without_server
    name = f"llama_cpp_python-{metadata.version('llama_cpp_python')}"
    files = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'build'\nbackend-path = ['.']\n",
        "build.py": "def build_wheel(*_):\n    raise SystemExit('No CMAKE_CXX_COMPILER could be found.')\n",
    }
    sources = public[1] / f"{name}.tar.gz"
    with tarfile.open(sources, "w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    (lists,) = extensions.glob("lintseq.lintseq-*/requirements")
    one_package = (lists / "packages.txt").read_text("utf-8").splitlines()[0]
    (lists / "packages.txt").write_text(f"{one_package}\n", "utf-8")
    pin = (lists / "llama-cpp.txt").read_text("utf-8").split()[0]
    checksum = hashlib.sha256(sources.read_bytes()).hexdigest()
    (lists / "llama-cpp.txt").write_text(f"{pin} --hash=sha256:{checksum}\n", "utf-8")
    begin(code, READY_MADE)
    failure = code.toasts.filter(has_text="llama.cpp has to be compiled")
    failure.wait_for()
    assert "apt install build-essential" in failure.inner_text()
    code.shot("no-compiler")
    assert "/llama-cpp-python/" in site.asked
    assert not managed(code).exists()
    failure.get_by_text("Try Again", exact=True).press("Enter")  # a click may meet a tooltip
    code.rows.filter(has_text=BUILD).wait_for()


def test_files_that_are_not_those_that_were_listed_are_refused(without_server, index):
    """The packages of the same names and versions, packed otherwise."""
    code, _, configuration = without_server
    configuration.write_text(f"[global]\nno-index = true\nfind-links = {index}\n")
    begin(code, BUILD)
    code.toasts.filter(has_text="could not be installed").wait_for()
    assert "DO NOT MATCH THE HASHES" in code.log()
    assert not managed(code).exists()


def test_an_install_that_fails_or_is_cancelled_leaves_nothing_behind(without_server):
    code, _, configuration = without_server
    configuration.write_text("[global]\nno-index = true\n")
    begin(code, BUILD)
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
        code.pick(BUILD)
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
