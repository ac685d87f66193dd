#!/usr/bin/env bash
# Writes vscode-extension/requirements/: what "Install the Server" of the extension installs, with the checksums
# of all platforms' files. To be run when pyproject.toml or requirements.lock changes (needs the network):
#
#     bash setup/extension_requirements.sh
#
# packages.txt has the wheels: what the server needs to run, and what llama.cpp is built with. llama-cpp.txt has
# llama-cpp-python, of which there are only sources. tests/test_extension.py says when they are out of date.
set -euo pipefail
cd "$(dirname "$0")/.."

UV=0.13.9
OPTIONS=(--quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header)
BUILD_TOOLS=(cmake ninja scikit-build-core)
[[ $(<pyproject.toml) =~ llama-cpp-python==([0-9.]+) ]]
LLAMA="llama-cpp-python==${BASH_REMATCH[1]}"

place=$(mktemp -d)
trap 'rm -r "$place"' EXIT
python3 -m venv "$place"
"$place/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV"
mkdir -p vscode-extension/requirements
printf '%s\n' "${BUILD_TOOLS[@]}" |
    "$place/bin/uv" pip compile "${OPTIONS[@]}" --constraint requirements.lock \
        --only-binary :all: --no-binary llama-cpp-python --no-emit-package llama-cpp-python \
        --output-file vscode-extension/requirements/packages.txt pyproject.toml - >/dev/null
echo "$LLAMA" |
    "$place/bin/uv" pip compile "${OPTIONS[@]}" --no-deps \
        --output-file vscode-extension/requirements/llama-cpp.txt - >/dev/null
