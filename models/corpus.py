"""The training corpus: permissively licensed packages, cleaned, de-duplicated, split by package.

    python models/corpus.py download --wheels .work/wheels      # what the list names and is not there yet
    python models/corpus.py build --wheels .work/wheels         # minutes; .work/corpus/train.jsonl and others
    python models/corpus.py build --wheels .work/wheels --raw   # the same files uncleaned: .work/corpus-raw/
    python models/corpus.py list  --wheels .work/wheels         # writes models/corpus.txt anew
With `--sample 40` both `download` and `build` take so many packages of the training split only.

Needs `ruff` (one layout for all files).
Each record of a JSONL file is one module: {"package", "path", "text"}.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import ast
import email
import json
import random
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cleaning import clean, without_duplicates

LIST = Path(__file__).with_name("corpus.txt")
VALIDATION = ("click", "httpx", "networkx", "structlog")
HELD_OUT = ("aider-chat", "jedi-language-server", "llm", "lsp-devtools", "sqlite-utils")
PACKAGE_CAP = 700_000  # characters of one package after cleaning, so that no giant sets the tone
SMALL_CAP = 250_000  # the same for validation and held-out packages
LINE_LENGTH = 88
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
