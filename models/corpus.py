"""The training corpus: permissively licensed packages, cleaned, de-duplicated, split by package.

    python models/corpus.py download --wheels .work/wheels      # what the list names and is not there yet
    python models/corpus.py build --wheels .work/wheels         # minutes; .work/corpus/train.jsonl and others
    python models/corpus.py build --wheels .work/wheels --raw   # the same files uncleaned: .work/corpus-raw/
    python models/corpus.py list  --wheels .work/wheels         # writes models/corpus.txt anew
With `--sample 40` both `download` and `build` take so many packages of the training split only.

Needs `ruff` (one layout for all files). Deliberately absent: tokens and prompts (see sequences.py).
Each record of a JSONL file is one module: {"package", "path", "text"}.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import ast
import email
import hashlib
import inspect
import io
import json
import random
import re
import subprocess
import sys
import sysconfig
import tarfile
import tokenize
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("corpus.txt")
VALIDATION = ("click", "httpx", "networkx", "structlog")
HELD_OUT = ("aider-chat", "jedi-language-server", "llm", "lsp-devtools", "sqlite-utils")
PACKAGE_CAP = 700_000  # characters of one package after cleaning, so that no giant sets the tone
SMALL_CAP = 250_000  # the same for validation and held-out packages
LINE_LENGTH = 88
TABLE_LINES = 30  # an assigned collection of more lines is a data table
DUPLICATE_LINES = 4  # functions of fewer lines are not compared
JOBS = 2

PERMISSIVE = re.compile(
    r"\b(mit|bsd|apache|isc|psf|python software foundation|python-2\.0|0bsd|zlib|unlicense|cc0|hpnd|zpl)\b",
    re.IGNORECASE,
)
NOT_PERMISSIVE = re.compile(
    r"gpl|gnu |mpl|mozilla|eupl|epl-|eclipse|cddl|proprietary|commercial|nvidia|sspl|busl|cecill|osl-"
    r"|artistic|other/",
    re.IGNORECASE,
)
SKIPPED_PARTS = re.compile(
    r"(^|/)(_?tests?|testing|_?vendor(ed)?|_?vendored_?\w*|_?extern(als?)?|_?third_?party|_?generated|locales?|migrations"
    r"|docs?|examples?|benchmarks?|data|_?pyi|validators|graph_objs|thirdparty|blib2to3|node_modules|site-packages"
    r"|idlelib|lib2to3|turtledemo|encodings|pydoc_data|ensurepip|unicode_codes?|lexers|i18n|mappings|\w*\.data)(/|$)"
    r"|_pb2(_grpc)?\.py$|(^|/)(test_\w+|\w+_test|conftest|_?version|setup|versioneer|parsetab|lextab|_parser_tab)\.py$",
    re.IGNORECASE,
)
GENERATED = re.compile(
    r"generated (by|from|using|with|automatically)|auto-?(matically)?[ -]?generated|do not edit|don't edit"
    r"|code generator",
    re.IGNORECASE,
)
PRAGMA = re.compile(
    r"#\s*(noqa|type:\s*ignore|pylint|pragma|fmt:|isort|mypy|pyright|ruff|nosec|flake8|yapf|noinspection|"
    r"-\*-|vim:|coding[:=]|lgtm|codespell|spellchecker|pytype|ty:|cython:|doctest)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Package:
    """One line of the list. `archive` is where its wheel or sdist lies (None: the standard library)."""

    name: str
    version: str
    licence: str
    split: str
    archive: Path | None = None


def licence_of(metadata: str) -> str | None:
    """The licence that a distribution's METADATA names, if it is a permissive one, else None."""
    fields = email.message_from_string(metadata)
    classifiers = [c for c in fields.get_all("Classifier", []) if c.startswith("License ::")]
    trove = " AND ".join(sorted({c.rpartition(" :: ")[2] for c in classifiers} - {"OSI Approved"}))
    free_text = (fields.get("License") or "").strip().partition("\n")[0][:60]
    claims = [claim for claim in (fields.get("License-Expression"), trove, free_text) if claim]
    if any(NOT_PERMISSIVE.search(claim) for claim in claims):
        return None
    return next((" ".join(claim.split()) for claim in claims if PERMISSIVE.search(claim)), None)


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """(path, content) of the Python files and of METADATA in a wheel or an sdist."""
    wanted = re.compile(r"\.py$|\.dist-info/METADATA$|^[^/]+/PKG-INFO$")
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in sorted(wheel.namelist()):
                if wanted.search(name):
                    yield name, wheel.read(name)
    else:
        with tarfile.open(archive) as sdist:
            for member in sdist:
                if member.isfile() and wanted.search(member.name):
                    content = sdist.extractfile(member)
                    assert content is not None
                    yield member.name, content.read()


def standard_library() -> Iterator[tuple[str, bytes]]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        yield path.relative_to(root).as_posix(), path.read_bytes()


def archives(folders: list[Path]) -> dict[tuple[str, str], Path]:
    """Wheels and sdists by (normalised name, version). Later folders win."""
    found = {}
    for folder in folders:
        for path in sorted(folder.glob("*")):
            match = re.fullmatch(r"(.+?)-(\d[^-]*)(-.+)?\.(whl|tar\.gz)", path.name)
            if match and path.is_file():
                found[re.sub(r"[-_.]+", "-", match[1]).lower(), match[2]] = path
    return found


def listed() -> list[Package]:
    """The packages of corpus.txt."""
    rows = [line.split("\t") for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return [Package(*pin.split("==", 1), *rest) for pin, *rest in rows]  # type: ignore[arg-type]


# ---- cleaning: pure functions from text to text


def first_paragraph(docstring: str) -> list[str]:
    """What a reader needs of a docstring: its first paragraph, at most three lines."""
    lines = inspect.cleandoc(docstring).splitlines()
    end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    return [line.rstrip() for line in lines[: min(end, 3)]]


def is_code(comment_lines: list[str]) -> bool:
    """Whether comment lines (with their `#`) read as Python statements rather than as prose."""
    text = inspect.cleandoc("\n" + "\n".join(re.sub(r"^#+ ?", "", line.strip()) for line in comment_lines))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call | ast.Await) for node in tree.body
    )


def clean(source: str) -> str | None:
    """`source` without what teaches a small model little; None where the whole file is not worth it.

    Cut: licence headers, commented-out code, pragmas, docstrings beyond their first paragraph, data tables.
    """
    if GENERATED.search(source[:2000]) or len(source) > 300_000 or "\x00" in source:
        return None
    source = source.replace("\r\n", "\n").replace("\r", "\n").expandtabs(8).replace("\f", "")
    try:
        tree = ast.parse(source)
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return None
    lines: list[str | None] = list(source.split("\n"))
    if (
        sum(len(line or "") > 160 for line in lines) > len(lines) // 50
        or sum(c > "\x7f" for c in source) > len(source) // 50
    ):
        return None
    _cut_comments(lines, tokens, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _shorten_docstring(lines, node)
        if isinstance(node, ast.Module | ast.ClassDef):
            for statement in node.body:
                span = (statement.end_lineno or 0) - statement.lineno + 1
                if (
                    isinstance(statement, ast.Assign | ast.AnnAssign)
                    and span > TABLE_LINES
                    and len(node.body) > 1
                ):
                    lines[statement.lineno - 1 : statement.end_lineno] = [None] * span
    return "\n".join(line for line in lines if line is not None).strip() + "\n"


def _cut_comments(lines: list[str | None], tokens: list[tokenize.TokenInfo], tree: ast.Module) -> None:
    first_statement = tree.body[0].lineno if tree.body else 0
    run: list[int] = []
    for token in tokens:
        if token.type != tokenize.COMMENT:
            continue
        row, column = token.start
        if token.line[:column].strip():
            if PRAGMA.search(token.string):
                lines[row - 1] = token.line[:column].rstrip()
            continue
        if run and row != run[-1] + 1:
            _cut_run(lines, run, first_statement)
            run = []
        run.append(row)
    _cut_run(lines, run, first_statement)


def _cut_run(lines: list[str | None], run: list[int], first_statement: int) -> None:
    texts = [lines[row - 1] or "" for row in run]
    whole = bool(run) and (run[-1] < first_statement or is_code(texts))
    for i, row in enumerate(run):
        if whole or i >= 4 or PRAGMA.search(texts[i]) or not re.search(r"\w", texts[i]):
            lines[row - 1] = None


def _shorten_docstring(
    lines: list[str | None], node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
) -> None:
    if not (
        node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
    ):
        return
    expression, value = node.body[0], node.body[0].value.value
    start, end = expression.lineno - 1, expression.end_lineno or 0
    before = (lines[start] or "")[: expression.col_offset]
    after = (lines[end - 1] or "")[expression.end_col_offset :]
    if not isinstance(value, str) or before.strip() or after.strip():
        return
    kept = first_paragraph(value)
    if not kept or "\\" in value or '"""' in value or kept[-1].endswith('"'):
        if end - start > 3 and len(node.body) > 1:
            lines[start:end] = [None] * (end - start)
        return
    shortened = (
        f'{before}"""{kept[0]}' + "".join(f"\n{before}{line}" if line else "\n" for line in kept[1:]) + '"""'
    )
    lines[start:end] = [shortened] + [None] * (end - start - 1)


def functions(text: str) -> Iterator[tuple[int, int, str]]:
    """(first line, line behind the last, digest) of each function of at least DUPLICATE_LINES lines."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            last = node.end_lineno or first + 1
            if last - first >= DUPLICATE_LINES:
                body = "\n".join(line.strip() for line in lines[first:last] if line.strip())
                yield first, last, hashlib.sha1(body.encode()).hexdigest()


def without_duplicates(text: str, seen: set[str]) -> str | None:
    """`text` without functions whose digest is in `seen` (which grows); None when most of it was known."""
    lines: list[str | None] = list(text.splitlines())
    cut = 0
    for first, last, digest in functions(text):
        if digest in seen:
            cut += sum(line is not None for line in lines[first:last])
            lines[first:last] = [None] * (last - first)
        seen.add(digest)
    if not cut:
        return text
    rest = "\n".join(line for line in lines if line is not None).strip() + "\n"
    try:
        ast.parse(rest)
    except SyntaxError:
        return None
    return rest if cut < len(lines) / 2 else None


# ---- the commands


def download(packages: list[Package], folders: list[Path]) -> None:
    """Fetches with pip, at the listed version and as wheels, what no folder has; into the last folder."""
    found = archives(folders)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folders[-1])]
    for package in packages:
        if package.name != "python" and (package.name, package.version) not in found:
            subprocess.run([*command, f"{package.name}=={package.version}"], check=False)


def package_files(package: Package, raw: bool) -> list[dict[str, str]]:
    """The records of one package, at most its cap, chosen at random but always the same."""
    contents = members(package.archive) if package.archive else standard_library()
    files = []
    for path, content in contents:
        if not path.endswith(".py") or SKIPPED_PARTS.search(path):
            continue
        try:
            source = content.decode("utf-8")
        except UnicodeDecodeError:
            continue
        text = source if raw else clean(source)
        if text and text.count("\n") >= 5 and len(text) > 200:
            files.append({"package": package.name, "path": path, "text": text})
    random.Random(package.name).shuffle(files)
    cap, size, chosen = PACKAGE_CAP if package.split == "train" else SMALL_CAP, 0, []
    for record in files:
        if size + len(record["text"]) <= cap:
            size += len(record["text"])
            chosen.append(record)
    return chosen


def one_layout(records: list[dict[str, str]], folder: Path) -> list[dict[str, str]]:
    """The records after `ruff format`; those that it cannot read are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:06}.py" for i in range(len(records))]
    for path, record in zip(paths, records, strict=True):
        path.write_text(record["text"])
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "--quiet"]
    subprocess.run([*command, f"--line-length={LINE_LENGTH}", str(folder)], check=False)
    formatted = []
    for path, record in zip(paths, records, strict=True):
        text = path.read_text()
        path.unlink()
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        formatted.append(record | {"text": text})
    return formatted


def write_list(folders: list[Path]) -> None:
    newest: dict[str, tuple[str, Path]] = {}
    for (name, version), path in sorted(archives(folders).items(), key=lambda item: _version_key(item[0][1])):
        newest[name] = (version, path)
    rows = [f"python=={sys.version.split()[0]}\tPSF-2.0\ttrain"]
    for name, (version, path) in sorted(newest.items()):
        contents = dict(members(path))
        metadata = next((c for p, c in contents.items() if p.endswith(("METADATA", "PKG-INFO"))), b"")
        licence = licence_of(metadata.decode("utf-8", "replace"))
        size = sum(len(c) for p, c in contents.items() if p.endswith(".py") and not SKIPPED_PARTS.search(p))
        if licence and size > 3000:
            split = "validation" if name in VALIDATION else "held_out" if name in HELD_OUT else "train"
            rows.append(f"{name}=={version}\t{licence}\t{split}")
    head = "# package==version, licence by its metadata, split; `python` is the standard library\n"
    LIST.write_text(head + "\n".join(rows) + "\n")


def _version_key(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def sampled(packages: list[Package], count: int) -> list[Package]:
    """Those of the small splits, and `count` of the training split: the same ones each time."""
    train = [package for package in packages if package.split == "train"]
    chosen = random.Random(0).sample(train, min(count, len(train)))
    return [package for package in packages if package.split != "train" or package in chosen]


def build(wanted: list[Package], folders: list[Path], target: Path, raw: bool) -> None:
    found = archives(folders)
    packages = []
    for package in wanted:
        archive = found.get((package.name, package.version))
        if archive or package.name == "python":
            packages.append(Package(package.name, package.version, package.licence, package.split, archive))
        else:
            print(f"left out, since no folder has it: {package.name}=={package.version}")
    # The small splits first: what they hold is then a duplicate in the training split.
    packages.sort(key=lambda p: (["held_out", "validation", "train"].index(p.split), p.name))
    target.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    sizes: dict[str, list[int]] = {}
    outputs = {split: (target / f"{split}.jsonl").open("w") for split in ("train", "validation", "held_out")}
    with ProcessPoolExecutor(JOBS) as pool:
        results = pool.map(package_files, packages, [raw] * len(packages))
        for package, records in zip(packages, results, strict=True):
            if not raw:
                records = one_layout(records, target / "layout")
            for record in records:
                text = record["text"] if raw else without_duplicates(record["text"], seen)
                if text:
                    outputs[package.split].write(json.dumps(record | {"text": text}) + "\n")
                    sizes.setdefault(package.split, []).append(len(text))
    for split, output in outputs.items():
        output.close()
        print(f"{split}: {len(sizes.get(split, []))} files, {sum(sizes.get(split, [])):,} characters")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["download", "build", "list"])
    parser.add_argument("--wheels", type=Path, nargs="+", required=True, help="folders of wheels and sdists")
    parser.add_argument("--data", type=Path, default=Path(".work"))
    parser.add_argument("--raw", action="store_true", help="no cleaning, no layout, no de-duplication")
    parser.add_argument("--sample", type=int, help="packages of the training split, instead of all")
    arguments = parser.parse_args()
    packages = listed() if arguments.sample is None else sampled(listed(), arguments.sample)
    if arguments.command == "list":
        write_list(arguments.wheels)
    elif arguments.command == "download":
        download(packages, arguments.wheels)
    else:
        target = arguments.data / ("corpus-raw" if arguments.raw else "corpus")
        build(packages, arguments.wheels, target, arguments.raw)
