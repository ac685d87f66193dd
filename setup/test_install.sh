#!/usr/bin/env bash
# Installs `lintseq-lsp` from dist/wheels as a new user would: a new environment, an empty home, no network, no compiler.
# Prints how long that took, and what the tour shows then. `make test-install` calls it.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -r "$place"' EXIT
mkdir "$place/home"
bin=$place/venv/bin

"${PYTHON:-${VENV:-.venv}/bin/python}" -m venv "$place/venv"
unset "${!PIP_@}"
export HOME=$place/home CC=false CXX=false PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1
[ ! -d "$place/venv/Scripts" ] || bin=$place/venv/Scripts
start=$SECONDS
"$bin/python" -m pip install --quiet --no-index --find-links dist/wheels lintseq-lsp
echo "installed in $((SECONDS - start)) s"
cd "$place"
"$bin/lintseq-lsp" tour
