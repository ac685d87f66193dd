# Where llama.cpp's wheel for this machine is kept. Read by the other scripts, in the repository's folder.

llama_version=$(sed -n 's/^llama_cpp_python==//p' requirements.lock)

# It is built for this processor (GGML_NATIVE), so a home folder that several machines share has a wheel for each.
processor() {
    uname -sm
    grep -m 1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null || sysctl -n machdep.cpu.brand_string 2>/dev/null || true
}

llama_wheels() {
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/lintseq-lsp/llama-cpp-python-$llama_version-$(processor | cksum | cut -d ' ' -f 1)"
}
