"""`lintseq-lsp bench`: what was measured, on what, and which targets were reached."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from lintseq_lsp.commands.terminal import clear_errors, console, errors, print_json
from lintseq_lsp.errors import LintSeqError

if TYPE_CHECKING:
    from lintseq_lsp.bench.values import Result


def bench(
    model: Annotated[str, typer.Option(help="A GGUF file or the name of a model.")] = "",
    only: Annotated[list[str] | None, typer.Option(help="A section; may be given again.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few repetitions.")] = False,
    suggestions: Annotated[
        int, typer.Option(min=10, help="Suggestions over which memory is measured.")
    ] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
) -> None:
    """Measure speed and memory against their targets. Sections that say 150M run on random weights.

    Sections: start, cached, check, typing, cancel, sequence, writing, memory.
    """
    from lintseq_lsp.bench.sections import SECTIONS, machine, run
    from lintseq_lsp.bench.values import Plan

    plan = Plan(model, quick, suggestions)
    with clear_errors():
        names = only or list(SECTIONS)
        unknown = sorted(set(names) - set(SECTIONS))
        if unknown:
            raise LintSeqError(f"there is no section {unknown[0]}: the sections are {', '.join(SECTIONS)}")
        facts = machine(plan)
    if not as_json:
        for name, value in facts.items():
            console.print(Text(f"{name}: {value}", style="dim"))
    results: list[dict[str, Any]] = []
    for name in names:
        errors.print(Text(f"{name} …", style="dim"))
        for result in run(plan, [name]):
            results.append(result.record())
            if not as_json:
                _show(result)
    if as_json:
        print_json({"machine": facts, "results": results})


def _show(result: "Result") -> None:
    record = result.record()
    line = Text(f"{result.name}: ")
    if result.values:
        line.append(f"{record['p50']:,.4g} {result.unit}", style="bold")
        spread = ", ".join(f"{name} {record[name]:,.4g}" for name in ("p25", "p75", "p90", "p95"))
        line.append(f" ({spread}, n {record['n']})" if record["n"] > 1 else "")
    else:
        line.append("no values", style="yellow")
    if result.targets:
        style = "green" if result.reached else "red"
        line.append(f"  {record['target']}: {'reached' if result.reached else 'missed'}", style=style)
    if result.note:
        line.append(f"  [{result.note}]", style="dim")
    console.print(line, soft_wrap=True)
