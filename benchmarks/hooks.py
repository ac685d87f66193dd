"""How long an agent waits for its hook: from the start of the process to its end.

Edits copies of modules of the standard library, each cut to about 300 lines, in turn, and tells the installed
`lintseq-lsp hook` of each edit as Claude Code would. Prints milliseconds, and how busy the machine was
meanwhile: on a busy one, they say little.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOOK = [str(Path(sys.executable).with_name("lintseq-lsp")), "hook"]
MODULES = ("json/decoder.py", "shlex.py", "textwrap.py", "dataclasses.py", "queue.py", "heapq.py")


def text_of(module: str, lines: int) -> str:
    """The beginning of a module, as long as it parses."""
    text = (Path(os.__file__).parent / module).read_text("utf-8").split("\n")
    for end in range(lines, 0, -1):
        try:
            compile("\n".join(text[:end]), module, "exec")
        except SyntaxError:
            continue
        return "\n".join(text[:end])
    raise SystemExit(f"{module} has no beginning that parses")


def call(path: Path, before: str, after: str) -> float:
    """Milliseconds of one hook, which has nothing to say."""
    path.write_text(after, "utf-8")
    given = {
        "session_id": "benchmark",
        "cwd": str(path.parent),
        "permission_mode": "default",
        "hook_event_name": "PostToolUse",
        "tool_name": "Edit",
        "tool_input": {"file_path": str(path)},
        "tool_response": {"originalFile": before},
    }
    start = time.perf_counter()
    done = subprocess.run(
        HOOK, input=json.dumps(given).encode(), cwd=path.parent, capture_output=True, check=True
    )
    milliseconds = (time.perf_counter() - start) * 1000
    if done.stdout or done.stderr:
        raise SystemExit(f"{path.name}: a clean edit is answered: {done.stdout!r} {done.stderr!r}")
    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--warm", type=int, default=30, help="calls before those that count")
    parser.add_argument("--lines", type=int, default=300)
    options = parser.parse_args()
    bare = []
    for _ in range(20):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append((time.perf_counter() - start) * 1000)
    with tempfile.TemporaryDirectory(prefix="hooks-") as name:
        os.environ["XDG_STATE_HOME"] = str(Path(name) / "state")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
        (Path(name) / ".git").mkdir()
        texts = {Path(name) / module.replace("/", "_"): text_of(module, options.lines) for module in MODULES}
        times = []
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        for number in range(options.warm + options.calls):
            path = list(texts)[number % len(texts)]
            after = texts[path] + f"\nNUMBER_{number} = {number}\n"
            times.append(call(path, texts[path], after))
            texts[path] = after
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = (now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime) * 1000 / len(times)
    warm = times[options.warm :]
    print(f"{len(warm)} calls, {len(texts)} files of {options.lines} lines, load {os.getloadavg()[0]:.1f}")
    print(f"Python itself, doing nothing: p50 {statistics.median(bare):.0f} ms")
    print(f"first call {times[0]:.0f} ms; processor time of the hook's own process {own:.0f} ms")
    print(f"p50 {statistics.median(warm):.0f} ms, p95 {statistics.quantiles(warm, n=20)[18]:.0f} ms")


if __name__ == "__main__":
    main()
