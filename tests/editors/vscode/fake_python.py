"""A stand-in for the Python extension: the part of its API that ours uses, and a setting to choose with."""

import json
import zipfile
from pathlib import Path

MANIFEST = {
    "name": "python",
    "publisher": "ms-python",
    "version": "9999.0.0",
    "engines": {"vscode": "^1.91.0"},
    "main": "./extension.js",
    "activationEvents": [],
    "capabilities": {"untrustedWorkspaces": {"supported": True}},
    "contributes": {
        "configuration": {
            "properties": {"python.fake.interpreter": {"type": "string", "default": "", "scope": "machine"}}
        }
    },
}
SOURCE = """
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


def packed(folder: Path) -> Path:
    """It, as a package to install."""
    package = folder / "python.vsix"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("extension/package.json", json.dumps(MANIFEST))
        archive.writestr("extension/extension.js", SOURCE)
    return package
