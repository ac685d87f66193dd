#!/usr/bin/env bash
# Collects in dist/wheels all that `lintseq-lsp` needs to be installed without a compiler and without a network: its own
# wheel, llama.cpp's as setup/environment.sh has built it for this machine, and the packages that these need.
# `make wheels` calls it. The folder is for machines with the same system and the same version of Python.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
bin=$venv/bin
[ ! -d "$venv/Scripts" ] || bin=$venv/Scripts

. setup/llama-wheel.sh
folder=dist/wheels
rm -rf "$folder"
mkdir -p "$folder"
cp dist/lintseq_lsp-*.whl "$folder"
cp "$(llama_wheels)"/*.whl "$folder"
"$bin/python" -m pip download --quiet --disable-pip-version-check --only-binary :all: --constraint requirements.lock \
    --find-links "$folder" --dest "$folder" "$folder"/lintseq_lsp-*.whl
echo "$folder: $(ls "$folder" | wc -l) wheels, $(du -sh "$folder" | cut -f 1)"
