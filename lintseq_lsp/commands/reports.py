"""What became of files that were checked, in the forms that people and machines read.

Deliberately absent: how it is found out (check.py).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from lintseq_lsp import __version__
from lintseq_lsp.commands.terminal import finding_record
from lintseq_lsp.linters.base import Finding
from lintseq_lsp.reasons import Reason
from lintseq_lsp.verdicts import Verdict, finding_key


class Format(Enum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"
    SARIF = "sarif"


@dataclass(frozen=True, slots=True)
class Judged:
    path: str
    verdict: Verdict

    @property
    def is_newer(self) -> bool:
        """Whether it could not be judged: it seems to be Python that is newer than the server's own."""
        return self.verdict.reason is Reason.NEWER_SYNTAX

    def passes(self, *, strict: bool) -> bool:
        return self.verdict.accepted or (self.is_newer and not strict)

    def record(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "verdict": "accepted" if self.verdict.accepted else "not judged" if self.is_newer else "rejected",
            "reason": self.verdict.reason.value,
            "tier": self.verdict.tier.name.lower(),
            "also": list(self.verdict.also),
            "findings": [finding_record(finding) for finding in self.verdict.findings],
            "unknown": list(self.verdict.unknown),
            "milliseconds": round(self.verdict.milliseconds, 1),
        }


@dataclass(frozen=True, slots=True)
class Unread:
    path: str
    error: str

    def record(self) -> dict[str, Any]:
        return {"path": self.path, "verdict": "not read", "reason": self.error}


Entry = Judged | Unread


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that a person has to look at. `fails` says whether the command does for it."""

    path: str
    finding: Finding
    fails: bool = True

    @property
    def is_error(self) -> bool:
        return self.fails and not self.finding.code.startswith("W")


def problems(entries: Sequence[Entry], *, strict: bool) -> Iterator[Problem]:
    """All findings; a file that could not be judged has one that says why."""
    for entry in entries:
        if isinstance(entry, Unread):
            yield Problem(entry.path, Finding("not-read", "", entry.error, 1))
        elif not entry.verdict.accepted:
            verdict, passes = entry.verdict, entry.passes(strict=strict)
            if verdict.findings and not entry.is_newer:
                yield from (Problem(entry.path, finding) for finding in verdict.findings)
            else:
                message = verdict.detail or verdict.reason.sentence
                yield Problem(entry.path, Finding(verdict.reason.value, "", message, 1), fails=not passes)


def written(entries: Sequence[Entry], form: Format, *, strict: bool) -> str:
    """All of a report. JSON and what people read are check's own."""
    found = list(problems(entries, strict=strict))
    match form:
        case Format.GITHUB:
            return github(found)
        case Format.GITLAB:
            return gitlab(found)
        case Format.SARIF:
            return sarif(found, entries)
        case _:
            raise ValueError(form)


def github(found: Sequence[Problem]) -> str:
    """Commands of GitHub's workflows, each of which makes an annotation."""
    lines = []
    for problem in found:
        finding = problem.finding
        properties = {
            "file": PurePath(problem.path).as_posix(),
            "line": finding.line,
            "col": finding.column + 1,
            "title": finding.names,
        }
        told = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items())
        kind = "error" if problem.is_error else "warning"
        lines.append(f"::{kind} {told}::{_escaped(finding.message)}\n")
    return "".join(lines)


def _escaped(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def gitlab(found: Sequence[Problem]) -> str:
    """GitLab's report of code quality."""
    issues = [
        {
            "description": _described(problem.finding),
            "check_name": _rule(problem.finding),
            "fingerprint": fingerprint,
            "severity": "major" if problem.is_error else "minor",
            "location": {
                "path": PurePath(problem.path).as_posix(),
                "lines": {"begin": problem.finding.line},
            },
        }
        for problem, fingerprint in zip(found, _fingerprints(found), strict=True)
    ]
    return json.dumps(issues, indent=2) + "\n"


def sarif(found: Sequence[Problem], entries: Sequence[Entry]) -> str:
    """A log in SARIF 2.1.0."""
    rules = {_rule(problem.finding): problem.finding.name for problem in found}
    numbers = {rule: number for number, rule in enumerate(rules)}
    results = [
        {
            "ruleId": _rule(problem.finding),
            "ruleIndex": numbers[_rule(problem.finding)],
            "level": "error" if problem.is_error else "warning",
            "message": {"text": _described(problem.finding)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": _artifact(problem.path),
                        "region": {
                            "startLine": problem.finding.line,
                            "startColumn": problem.finding.column + 1,
                        },
                    }
                }
            ],
            "partialFingerprints": {"finding/v1": fingerprint},
        }
        for problem, fingerprint in zip(found, _fingerprints(found), strict=True)
    ]
    run = {
        "tool": {
            "driver": {
                "name": "lintseq-lsp",
                "version": __version__,
                "rules": [{"id": rule, "shortDescription": {"text": name}} for rule, name in rules.items()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not any(isinstance(entry, Unread) for entry in entries)}],
        "results": results,
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2) + "\n"


def _described(finding: Finding) -> str:
    others = f" ({', '.join(same.name for same in finding.same)})" if finding.same else ""
    return f"{finding.name.removesuffix(finding.symbol)}{finding.message}{others}"


def _rule(finding: Finding) -> str:
    """Two linters may call different things the same."""
    return finding.symbol if finding.linter == "pylint" else f"{finding.linter}/{finding.symbol}"


def _artifact(path: str) -> dict[str, str]:
    pure = PurePath(path)
    if pure.is_absolute():
        return {"uri": pure.as_uri()}
    return {"uri": quote(pure.as_posix()), "uriBaseId": "%SRCROOT%"}


def _fingerprints(found: Sequence[Problem]) -> list[str]:
    """One for each, which stays when lines move: of equal ones the first, the second, …"""
    seen = Counter[tuple[str, ...]]()
    prints = []
    for problem in found:
        key = (PurePath(problem.path).as_posix(), *finding_key(problem.finding))
        seen[key] += 1
        text = "\0".join((*key, str(seen[key])))
        prints.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
    return prints
