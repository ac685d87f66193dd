#!/usr/bin/env bash
# Makes or mends the environment $VENV (.venv): Python packages at the versions of requirements.lock, and
# llama.cpp built for this machine. `make` calls it; the built wheel is kept outside of the repository, so
# that neither `make clean` nor a new clone nor an environment of another Python builds it again.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}

say() { printf '[%3ds] %s\n' "$SECONDS" "$*"; }
fail() {
    printf 'lintseq-lsp: %s\n' "$*" >&2
    exit 1
}

# Python

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if recent "$name"; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed, and ${PYTHON:-python3} is older or not there:" \
        "install it, or name it: make demo PYTHON=/path/to/python3.12"
}

bin=$venv/bin
case $(uname -s) in MINGW* | MSYS* | CYGWIN*) bin=$venv/Scripts is_windows=1 ;; esac

if ! recent "$bin/python"; then
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python lacks the module venv: install it (Debian, Ubuntu: apt install python3-venv)"
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
pip() { "$bin/python" -m pip --disable-pip-version-check "$@"; }

# llama.cpp

. setup/llama-wheel.sh
installed=$("$bin/python" -c 'from importlib.metadata import version; print(version("llama_cpp_python"))' 2>/dev/null || true)

compiles() { echo 'int main() { return 0; }' | "$1" -x "$2" -o "$venv/compiled" - 2>/dev/null && rm "$venv/compiled"; }

# Shows how many files are compiled: on one line of a terminal, else every tenth.
show_progress() {
    local line shown=-10 count total
    while IFS= read -r line; do
        if [[ $line =~ ^\ *\[\ *([0-9]+)/([0-9]+)\] || $line =~ ^\ *\[\ *([0-9]+)(%)\] ]]; then
            count=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
            if [ -t 1 ]; then
                printf '\r[%3ds] llama.cpp: [%s/%s] ' "$SECONDS" "$count" "$total"
            elif ((count >= shown + 10 || count == 1)) || [ "$count" = "$total" ]; then
                say "llama.cpp: [$count/$total]"
                shown=$count
            fi
        elif [[ $line == *"Building wheel for"*started ]]; then
            say "llama.cpp: compiling"
        fi
    done
    [ ! -t 1 ] || echo
}

# Somebody else's build may use less of this processor than ours, so it is not kept with ours.
installed_ready_made() {
    [ -n "${LLAMA_INDEX:-}" ] || return 1
    say "looking for a ready-made llama.cpp in $LLAMA_INDEX"
    pip install --quiet --no-deps --only-binary :all: --extra-index-url "$LLAMA_INDEX" "llama_cpp_python==$llama_version" \
        2>/dev/null || { say "there is none for this system and Python, or the index cannot be reached"; return 1; }
}

if [ "$installed" != "$llama_version" ] && ! installed_ready_made; then
    kept=$(llama_wheels)
    if ! ls "$kept"/*.whl >/dev/null 2>&1; then
        # On Windows CMake looks for Visual Studio's compiler, which is on no path.
        [ -n "${is_windows:-}" ] || { compiles "${CC:-cc}" c && compiles "${CXX:-c++}" c++; } ||
            fail "a C and a C++ compiler are needed: install them (Debian, Ubuntu: apt install build-essential;" \
                "Fedora: dnf install gcc-c++; macOS: xcode-select --install), or take a ready-made llama.cpp:" \
                "make demo LLAMA_INDEX=https://abetlen.github.io/llama-cpp-python/whl/cpu"
        cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
        here=$(pwd -W 2>/dev/null || pwd) # on Windows as CMake knows it, and not as bash does
        say "building llama.cpp with $cores processes: 103 s on two idle cores, and only once on this machine"
        rm -rf "$venv/wheel"
        CMAKE_ARGS="-DLLAVA_BUILD=OFF '-DCMAKE_PROJECT_llama_cpp_INCLUDE=$here/setup/llama-cpp.cmake' ${CMAKE_ARGS:-}" \
            CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$cores}" \
            pip wheel --verbose --no-cache-dir --no-deps --wheel-dir "$venv/wheel" "llama_cpp_python==$llama_version" 2>&1 |
            tee "$venv/llama-cpp.log" | show_progress || {
            tail -n 30 "$venv/llama-cpp.log" >&2
            fail "llama.cpp could not be built: the end of $venv/llama-cpp.log is above"
        }
        mkdir -p "$kept"
        mv "$venv"/wheel/*.whl "$kept/"
    fi
    say "installing llama.cpp"
    pip install --quiet --constraint requirements.lock "$kept"/*.whl
fi

# The rest

say "installing lintseq-lsp and the packages that it needs"
pip install --quiet --constraint requirements.lock --editable '.[test,dev]'
say "the environment is ready"
