"""Stand-ins for other people's extensions, packed to be installed."""

import json
import zipfile
from pathlib import Path
from typing import Any

PYTHON = """
const vscode = require("vscode");
exports.activate = () => {
  const changed = new vscode.EventEmitter();
  const path = () => vscode.workspace.getConfiguration("python.fake").get("interpreter");
  vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration("python.fake")) changed.fire({ id: path(), path: path() });
  });
  return {
    environments: {
      getActiveEnvironmentPath: () => ({ id: path(), path: path() }),
      resolveEnvironment: async (chosen) =>
        chosen.path ? { executable: { uri: vscode.Uri.file(chosen.path) } } : undefined,
      onDidChangeActiveEnvironmentPath: changed.event,
    },
  };
};
"""
SUGGESTS = """
const vscode = require("vscode");
exports.activate = () => {
  vscode.languages.registerInlineCompletionItemProvider("python", {
    provideInlineCompletionItems: (document, position) =>
      [new vscode.InlineCompletionItem(" 42  # by the other", new vscode.Range(position, position))],
  });
};
"""


def python(folder: Path) -> Path:
    """The part of the Python extension's API that ours uses, and a setting to choose with."""
    setting = {"type": "string", "default": "", "scope": "machine"}
    contributes = {"configuration": {"properties": {"python.fake.interpreter": setting}}}
    return packed(folder, "ms-python.python", PYTHON, contributes=contributes)


def suggesting(folder: Path) -> Path:
    """An extension that suggests the same at every cursor, by the name of one that does."""
    return packed(folder, "TabNine.tabnine-vscode", SUGGESTS, activationEvents=["onLanguage:python"])


def packed(folder: Path, identifier: str, source: str, **more: Any) -> Path:
    publisher, name = identifier.split(".")
    manifest = {
        "name": name,
        "publisher": publisher,
        "version": "9999.0.0",
        "engines": {"vscode": "^1.91.0"},
        "main": "./extension.js",
        "activationEvents": [],
        "capabilities": {"untrustedWorkspaces": {"supported": True}},
        **more,
    }
    package = folder / f"{name}.vsix"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("extension/package.json", json.dumps(manifest))
        archive.writestr("extension/extension.js", source)
    return package
