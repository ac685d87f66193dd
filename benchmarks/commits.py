"""The gate against plain pylint, on commits of real repositories replayed as edits.

For each commit, newest first, that changes Python files and is no merge: what `lintseq-lsp check --since`
finds new in them, and what pylint itself (the same messages, on the same files, in a process of its own) has
more of after the commit than before it. One line of JSON a commit is added to OUT; a commit that is there is
not done again. `--report OUT` writes the table of docs/commits.md, and each difference.

    python benchmarks/commits.py --out OUT --commits 100 CLONE CLONE
    python benchmarks/commits.py --report OUT
"""

import argparse
import io
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

MESSAGES = ["--rcfile=/dev/null", "--disable=all", "--enable=E,F,W0311,W0231"]

Found = dict[str, list[tuple[str, str]]]
"""By file: (symbol, message without numbers of lines)."""


def plain(symbol: str, message: str) -> tuple[str, str]:
    """Nor with the module, which pylint names beside the line of a syntax error."""
    message = re.sub(r" \([\w.<>]+, line \d+\)", "", message)
    return symbol, " ".join(re.sub(r"\bline \d+", "line", message).split())


def pylint(tree: str, files: Sequence[str]) -> Found:
    """All that pylint says of the files. Run in a process of its own."""
    from pylint.lint import Run
    from pylint.reporters.json_reporter import JSONReporter

    os.chdir(tree)
    sys.path[:0] = [str(folder) for folder in (Path(tree, "src"), Path(tree)) if folder.is_dir()]
    written = io.StringIO()
    Run([*MESSAGES, *files], reporter=JSONReporter(written), exit=False)
    found: Found = {}
    for entry in json.loads(written.getvalue() or "[]"):
        found.setdefault(entry["path"], []).append(plain(entry["symbol"], entry["message"]))
    return found


class Replay:
    """A repository, twice: before a commit and after it."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.name = repository.resolve().parent.name if repository.name == "repo" else repository.name
        self.before, self.after = folder / self.name / "before", folder / self.name / "after"
        for tree in (self.before, self.after):
            command = ["git", "clone", "--quiet", "--shared", "--no-checkout", str(repository), str(tree)]
            subprocess.run(command, check=True)

    def commits(self, most: int) -> list[str]:
        command = ["git", "rev-list", "--no-merges", f"--max-count={most}", "HEAD", "--", "*.py"]
        return subprocess.run(
            command, cwd=self.after, check=True, capture_output=True, text=True
        ).stdout.split()

    def check_out(self, commit: str) -> None:
        for tree, revision in ((self.before, f"{commit}^"), (self.after, commit)):
            command = ["git", "checkout", "--quiet", "--force", "--detach", revision]
            subprocess.run(command, cwd=tree, check=True)


def judged(
    replay: Replay, commit: str, most_lines: int, linter: Any, pool: ProcessPoolExecutor
) -> dict[str, Any] | None:
    """None where its files have more than `most_lines` in all."""
    from lintseq_lsp.commands.changes import of_git
    from lintseq_lsp.gate import Gate, GatePolicy
    from lintseq_lsp.linters.syntax import check_syntax
    from lintseq_lsp.review import Change, review
    from lintseq_lsp.settings import IGNORED

    replay.check_out(commit)
    changes = [
        change for change in of_git(f"{commit}^", replay.after, (), IGNORED) if isinstance(change, Change)
    ]
    if sum(len((change.after or "").splitlines()) for change in changes) > most_lines:
        return None
    policy = GatePolicy(timeout=60, baseline_timeout=60)
    gate = Gate(linter, check_syntax, replace(policy, pylint_lines=policy.names_lines))
    start = time.perf_counter()
    verdicts = list(review(gate, changes, lenient=True))
    gate_seconds = time.perf_counter() - start
    olds = {
        change.name: os.path.relpath(change.old, replay.after)
        for change, _ in verdicts
        if change.before is not None
    }
    start = time.perf_counter()

    def found(tree: Path, files: Iterable[str]) -> Found:
        return pool.submit(pylint, str(tree), sorted(files)).result(timeout=600)

    after = found(replay.after, (change.name for change, _ in verdicts)) if verdicts else {}
    said = any(after.values()) or any(verdict.findings for _, verdict in verdicts)
    before = found(replay.before, olds.values()) if said and olds else {}  # else nothing can be new
    pylint_seconds = time.perf_counter() - start
    files = []
    for change, verdict in verdicts:
        old = Counter(before.get(olds.get(change.name, ""), ()))
        wanted = Counter(after.get(change.name, ())) - old
        got = Counter(plain(finding.symbol, finding.message) for finding in verdict.findings)
        files.append(
            {
                "path": change.name,
                "lines": len((change.after or "").splitlines()),
                "tier": verdict.tier.name.lower(),
                "reason": verdict.reason.value,
                "new": sum(wanted.values()),
                "alarms": [
                    (*key, "another line has it" if old[key] else "") for key in (got - wanted).elements()
                ],
                "misses": [
                    (*key, next((line for line in verdict.unknown if key[1] in plain("", line)[1]), ""))
                    for key in (wanted - got).elements()
                ],
            }
        )
    return {
        "repository": replay.name,
        "commit": commit,
        "gate_ms": round(gate_seconds * 1000),
        "pylint_ms": round(pylint_seconds * 1000),
        "files": files,
    }


def run(repositories: Sequence[Path], most: int, most_lines: int, out: Path) -> None:
    from lintseq_lsp.runtime import open_linter
    from lintseq_lsp.settings import Settings

    done = {json.loads(line)["commit"] for line in out.open()} if out.exists() else set()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pylint.lint"])
    with tempfile.TemporaryDirectory(prefix="commits-") as folder:
        replays = [Replay(repository, Path(folder)) for repository in repositories]
        linter = open_linter(Settings(python=sys.executable))
        lists = [[(replay, commit) for commit in replay.commits(most)] for replay in replays]
        todo = sorted(
            ((number, which) for which, each in enumerate(lists) for number in range(len(each)))
        )  # in turn
        try:
            with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
                for number, which in todo:
                    replay, commit = lists[which][number]
                    if commit not in done:
                        result = judged(replay, commit, most_lines, linter, pool)
                        if result is not None:
                            with out.open("a", encoding="utf-8") as stream:
                                stream.write(json.dumps(result) + "\n")
        finally:
            linter.close()


def report(out: Path) -> None:
    commits = [json.loads(line) for line in out.open(encoding="utf-8")]
    names = sorted({commit["repository"] for commit in commits})
    print(
        "| repository | commits | files | pylint's new findings "
        "| false alarms (not explained) | misses (not explained) |"
    )
    print("|---|---|---|---|---|---|")
    for name in [*names, ""]:
        chosen = [commit for commit in commits if name in ("", commit["repository"])]
        files = [file for commit in chosen for file in commit["files"]]
        alarms, misses = ([each for file in files for each in file[kind]] for kind in ("alarms", "misses"))
        cells = [
            name or "all",
            len(chosen),
            len(files),
            sum(file["new"] for file in files),
            *(f"{len(each)} ({sum(not why for *_, why in each)})" for each in (alarms, misses)),
        ]
        print(f"| {' | '.join(map(str, cells))} |")
    for kind in ("gate_ms", "pylint_ms"):
        times = [commit[kind] for commit in commits]
        print(f"{kind}: p50 {statistics.median(times):.0f}, p95 {statistics.quantiles(times, n=20)[18]:.0f}")
    for kind in ("alarms", "misses"):
        for commit in commits:
            for file in commit["files"]:
                for symbol, message, why in file[kind]:
                    place = f"{commit['repository']} {commit['commit'][:9]} {file['path']}"
                    print(f"{kind}: {place} ({file['tier']}, {file['reason']}): {symbol}: {message} [{why}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("repositories", type=Path, nargs="*")
    parser.add_argument("--commits", type=int, default=250, help="of each repository")
    parser.add_argument("--lines", type=int, default=1500, help="of its files, more than these are left out")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    if options.report:
        report(options.report)
    elif options.out and options.repositories:
        run(options.repositories, options.commits, options.lines, options.out)
    else:
        parser.error("give repositories and --out, or --report")


if __name__ == "__main__":
    main()
