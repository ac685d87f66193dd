"""The VS Code extension is in step with the server. `UPDATE_DOCS=1` writes its settings anew."""

import json
import os
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from lintseq_lsp.lsp.server import COMMANDS
from lintseq_lsp.reasons import Reason
from lintseq_lsp.settings import SETTINGS

ROOT = Path(__file__).parents[1]
EXTENSION = ROOT / "vscode-extension"
MANIFEST = EXTENSION / "package.json"
OWN = {"lintseq.serverPath", "lintseq.logLevel", "lintseq.stepBack", "lintseq.llamaIndex"}
"""Settings that are the extension's alone."""
GROUPS = {
    "Suggestions": "enabled nextEdit stepBack certainty maxLines candidates stringsAndComments"
    " completionItems debounce",
    "Model": "model promptFormat threads gpuLayers endpoint",
    "Checking": "python linters tries gateTimeout linterMemory",
    "Files": "ignore maxFileLines",
    "Server": "serverPath logLevel llamaIndex",
}
"""How the settings' page shows them, one after the other."""
BUILD_TOOLS = {"cmake", "ninja", "pathspec", "scikit-build-core"}
"""What llama.cpp is built with; its build runs without isolation, which would bring other versions."""
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}


def contributed() -> dict[str, Any]:
    """The server's settings as package.json must have them."""
    properties = {}
    for entry in SETTINGS:
        if not entry.scope:
            continue
        default = list(entry.default) if isinstance(entry.default, tuple) else entry.default
        written: dict[str, Any] = {"type": TYPES[type(entry.default)], "default": default}
        if isinstance(entry.default, tuple):
            written["items"] = {"type": "string"}
        if entry.bounds is not None:
            written["minimum"], written["maximum"] = entry.bounds
        written["scope"] = entry.scope
        written["description"] = entry.description
        properties[f"lintseq.{entry.name}"] = written
    return properties


def properties(manifest: Any) -> dict[str, Any]:
    """All settings of a manifest."""
    return {
        name: entry
        for group in manifest["contributes"]["configuration"]
        for name, entry in group["properties"].items()
    }


def grouped(entries: dict[str, Any]) -> list[Any]:
    """The settings as the manifest has them: by group, in order."""
    found = []
    for number, (title, names) in enumerate(GROUPS.items(), start=1):
        own = {
            f"lintseq.{name}": entries.pop(f"lintseq.{name}") | {"order": order}
            for order, name in enumerate(names.split(), start=1)
        }
        found.append({"id": title.lower(), "title": title, "order": number, "properties": own})
    assert not entries, "give them a group in GROUPS"
    return found


def test_the_settings_are_the_servers() -> None:
    manifest = json.loads(MANIFEST.read_text("utf-8"))
    own = {name: entry for name, entry in properties(manifest).items() if name in OWN}
    wanted = grouped(own | contributed())
    if os.environ.get("UPDATE_DOCS"):
        manifest["contributes"]["configuration"] = wanted
        MANIFEST.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert manifest["contributes"]["configuration"] == wanted, (
        "run UPDATE_DOCS=1 pytest tests/test_extension.py and commit vscode-extension/package.json"
    )


def test_the_extension_keeps_its_own_settings_from_the_server() -> None:
    source = (EXTENSION / "src" / "settings.ts").read_text("utf-8")
    listed = re.search(r"const OWN = new Set\(\[(.*?)\]\)", source, re.DOTALL)
    assert listed
    assert set(re.findall(r'"(\w+)"', listed[1])) == {name.removeprefix("lintseq.") for name in OWN}, (
        "make OWN in vscode-extension/src/settings.ts the same as in tests/test_extension.py"
    )


def test_editors_have_no_words_of_their_own_for_reasons() -> None:
    """The server sends the sentence with the reason."""
    sources = [*(EXTENSION / "src").glob("*.ts"), *(ROOT / "editors").rglob("*.lua")]
    assert len(sources) > 15
    for reason in Reason:
        quoted = re.compile(
            rf"""^\s*(\[?["']{reason.value}["']\]?|{reason.value})\s*[:=] *["']""", re.MULTILINE
        )
        for source in sources:
            assert not quoted.search(source.read_text("utf-8")), f"{source.name} words {reason.value}"


def test_commands_do_not_collide_with_the_servers() -> None:
    """The client library registers the server's commands under their own names."""
    manifest = json.loads(MANIFEST.read_text("utf-8"))
    own = {command["command"] for command in manifest["contributes"]["commands"]}
    assert not own & set(COMMANDS), "rename the command in vscode-extension/package.json"


def test_every_command_of_the_manifest_does_something() -> None:
    manifest = json.loads(MANIFEST.read_text("utf-8"))
    source = (EXTENSION / "src" / "extension.ts").read_text("utf-8")
    registered = set(re.findall(r'^    "(lintseq\.[\w.]+)":', source, re.MULTILINE))
    assert registered == {command["command"] for command in manifest["contributes"]["commands"]}


def test_what_chooses_programs_and_files_needs_trust() -> None:
    manifest = json.loads(MANIFEST.read_text("utf-8"))
    settings = properties(manifest)
    of_machines = {name for name, entry in settings.items() if entry["scope"] == "machine-overridable"}
    restricted = manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert set(restricted) == of_machines


def pinned(name: str) -> dict[str, tuple[str, str]]:
    """Version and marker by package, of a list in `requirements/`, in which each has checksums."""
    text = (EXTENSION / "requirements" / name).read_text("utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([a-z0-9-]+)==(\S+)(?: ; (.*?))?(?: +--hash=sha256:[0-9a-f]{64})+", line)
        assert match, f"{name}: {line}"
        found[match[1]] = match[2], match[3] or ""
    return found


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pairs = (line.partition("==") for line in lines if not line.startswith("#"))
    return {re.sub("[-_.]+", "-", name).lower(): version for name, _, version in pairs}


def needed(name: str, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """Names of an installed package and of what it needs to run on this machine."""
    name = re.sub("[-_.]+", "-", name).lower()
    if name in known:
        return known
    try:
        requirements = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # for another system
        return known
    known |= {name}
    for requirement in requirements:
        if "extra ==" not in requirement:
            known = needed(re.split("[^A-Za-z0-9._-]", requirement)[0], known)
    return known


def test_what_is_installed_is_what_was_tested() -> None:
    """What the server needs to run, at the locked versions, and nothing else; of llama.cpp the sources."""
    wheels, sources = pinned("packages.txt"), pinned("llama-cpp.txt")
    assert set(sources) == {"llama-cpp-python"}
    versions = {name: version for name, (version, _) in (wheels | sources).items()}
    runs: frozenset[str] = frozenset()
    for requirement in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]:
        runs = needed(re.split("[<>=]", requirement)[0], runs)
    lock = locked()
    hint = "run bash setup/extension_requirements.sh and commit vscode-extension/requirements/"
    assert {name: versions.get(name) for name in runs} == {name: lock[name] for name in runs}, hint
    assert {name for name, (_, marker) in wheels.items() if not marker} - runs == BUILD_TOOLS, hint


def test_the_extension_has_no_way_to_the_network() -> None:
    """What it starts has one: pip, when the user asks for the install."""
    imported = {
        name
        for file in (EXTENSION / "src").glob("*.ts")
        for name in re.findall(r'from "([^."][^"]*)"', file.read_text("utf-8"))
    }
    local = {"node:child_process", "node:fs/promises", "node:os", "node:path", "node:util"}
    assert imported == local | {"vscode", "vscode-languageclient/node"}
    for file in (EXTENSION / "src").glob("*.ts"):
        assert not re.search(r"\bfetch\(|openExternal|XMLHttpRequest|WebSocket", file.read_text("utf-8"))
