#!/usr/bin/env bash
# Makes a commit that holds lintseq-gate alone, as it is in the commit $1 (HEAD), and prints its name. pre-commit
# installs the root of a repository, and that of this one needs llama.cpp. A release tags and pushes it:
#     git tag gate-0.1.0 "$(gate/commit.sh v0.1.0)" && git push origin gate-0.1.0
set -euo pipefail
cd "$(dirname "$0")/.."
from=$(git rev-parse --verify "${1:-HEAD}^{commit}")
GIT_INDEX_FILE=$(mktemp -u)
export GIT_INDEX_FILE
trap 'rm -f "$GIT_INDEX_FILE"' EXIT

git read-tree "$from:gate"
git rm --quiet --cached commit.sh
git read-tree --prefix=lintseq_lsp/ "$from:lintseq_lsp"
git update-index --add --cacheinfo "100644,$(git rev-parse "$from:LICENSE"),LICENSE"
project=$(git show "$from:gate/pyproject.toml" | sed 's|"\.\./|"|' | git hash-object -w --stdin)
git update-index --cacheinfo "100644,$project,pyproject.toml"
git commit-tree "$(git write-tree)" -m "lintseq-gate of $(git describe --tags --always "$from")"
