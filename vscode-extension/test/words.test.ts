import assert from "node:assert/strict";
import { test } from "node:test";
import { remembered } from "../src/history";
import { modelsHere } from "../src/models";
import { besideInterpreter, expanded, inEnvironment, named, onPath } from "../src/places";
import { byCommand, byInterpreter, compilerWanted, installation, withoutPython } from "../src/python";
import { report } from "../src/reasons";

const AROUND = { platform: "linux", home: "/home/a", path: "/usr/bin:bin:/opt", folder: "/work" } as const;

test("paths that the user writes", () => {
  assert.equal(expanded("~/bin/x", AROUND), "/home/a/bin/x");
  assert.equal(expanded("${workspaceFolder}/.venv/bin/x", AROUND), "/work/.venv/bin/x");
  assert.equal(expanded(".venv/bin/x", AROUND), "/work/.venv/bin/x");
  assert.equal(expanded("lintseq-lsp", AROUND), "lintseq-lsp");
  assert.equal(expanded("~x/y", { ...AROUND, folder: undefined }), "~x/y");
});

test("a program without a folder is looked for on the PATH alone", () => {
  assert.deepEqual(named("~/bin/x", AROUND), ["/home/a/bin/x"]);
  assert.deepEqual(named("lintseq-lsp", AROUND), ["/usr/bin/lintseq-lsp", "/opt/lintseq-lsp"]);
});

test("where programs are; relative folders on the PATH are not looked into", () => {
  assert.equal(besideInterpreter("/e/bin/python", "linux"), "/e/bin/lintseq-lsp");
  assert.equal(inEnvironment("/e", "linux").program, "/e/bin/lintseq-lsp");
  assert.deepEqual(onPath(AROUND), ["/usr/bin/lintseq-lsp", "/opt/lintseq-lsp"]);
});

test("nothing that is started hears of Python's variables", () => {
  const environment = withoutPython({
    PATH: "/bin",
    PYTHONPATH: ":/lib",
    PythonHome: "x",
    PIP_INDEX_URL: "y",
  });
  assert.deepEqual(environment, {
    PATH: "/bin",
    PYTHONPATH: undefined,
    PythonHome: undefined,
    PIP_INDEX_URL: "y",
  });
});

test("the server of our own environment is started isolated; another one by its command", () => {
  assert.deepEqual(byInterpreter("/e", "linux"), {
    program: "/e/bin/lintseq-lsp",
    command: "/e/bin/python",
    argv: ["-I", "-m", "lintseq_lsp"],
  });
  assert.deepEqual(byCommand("/p/lintseq-lsp"), {
    program: "/p/lintseq-lsp",
    command: "/p/lintseq-lsp",
    argv: [],
  });
});

const SUPPLIES = { wheel: "/x/l.whl", packages: "/x/p.txt", llama: "/x/l.txt" };

test("what is installed is listed with checksums, and only llama.cpp is built", () => {
  const { first, readyMade, build, last } = installation("python3", "/e", "linux", SUPPLIES, "l==1", "");
  assert.deepEqual(readyMade, []);
  const [environment, ...installs] = [...first, ...build, ...last].map(([, ...command]) => command);
  assert.deepEqual(environment, ["python3", ["-I", "-m", "venv", "/e"]]);
  for (const [program, argv] of installs) {
    assert.equal(program, "/e/bin/python");
    assert.deepEqual(argv.slice(0, 4), ["-I", "-m", "pip", "install"]);
    assert.ok(argv.includes("--no-deps"));
    assert.ok(argv.includes("--require-hashes") || argv.includes("--no-index"));
  }
  assert.deepEqual(
    installs.map(([, argv]) => argv.at(-1)),
    [SUPPLIES.packages, SUPPLIES.llama, SUPPLIES.wheel],
  );
  assert.ok(installs[0]?.[1].join(" ").includes("--only-binary :all:"));
  assert.ok(installs[1]?.[1].includes("--no-build-isolation"));
});

test("of the index of ready-made wheels one package is wanted, in its version, and nothing is built", () => {
  const { first, readyMade, build, last } = installation("py", "/e", "linux", SUPPLIES, "l==1", "https://i");
  const [[, program, argv] = ["", "", []]] = readyMade;
  assert.equal(program, "/e/bin/python");
  assert.ok(argv.join(" ").endsWith("--no-deps --only-binary :all: --index-url https://i l==1"));
  for (const [, , others] of [...first, ...build, ...last]) assert.ok(!others.includes("https://i"));
});

test("without a compiler, the user hears what to install", () => {
  const said = "CMake Error at CMakeLists.txt:2 (project):\n  No CMAKE_CXX_COMPILER could be found.";
  assert.match(compilerWanted(said, "linux") ?? "", /build-essential.*gcc-c\+\+/);
  assert.match(compilerWanted(said, "darwin") ?? "", /xcode-select --install/);
  assert.match(compilerWanted("could not find any instance of Visual Studio.", "win32") ?? "", /Build Tools/);
  assert.equal(compilerWanted("ERROR: No matching distribution found", "linux"), undefined);
});

test("instructions: the newest first, each once, not too many", () => {
  assert.deepEqual(remembered(["a", "b"], "b"), ["b", "a"]);
  const many = Array.from({ length: 50 }, (_, index) => `${index}`);
  assert.equal(remembered(many, "x").length, 30);
});

test("an explanation names the findings that stood against an answer", () => {
  const text = report("a.py", {
    reason: "new-findings",
    message: "Nothing clean.",
    detail: "",
    cached: false,
    milliseconds: 12.5,
    promptTokensRead: 3,
    tiers: ["pylint"],
    suggestions: [],
    rejected: [
      {
        reason: "new-findings",
        message: "It has a finding.",
        detail: "",
        findings: [
          { symbol: "undefined-variable", code: "E0602", message: "Undefined variable 'x'", line: 4 },
        ],
      },
    ],
  });
  assert.match(text, /line 4: Undefined variable 'x' \(undefined-variable, E0602\)/);
  assert.match(text, /12\.5 ms, checked by pylint/);
  assert.match(report("a.py", null), /There was no request/);
  assert.match(text, /^Nothing clean\. \(new-findings\)$/m);
  assert.match(text, /^ {2}It has a finding\.$/m);
});

test("of the models those are offered that are here and work", () => {
  const known = { description: "", path: "/m.gguf", problem: "" };
  const models = [
    { ...known, name: "here" },
    { ...known, name: "to be pulled", path: null },
    { ...known, name: "broken", problem: "cut off" },
  ];
  assert.deepEqual(
    modelsHere(JSON.stringify(models)).map(({ name }) => name),
    ["here"],
  );
  assert.deepEqual(modelsHere(""), []);
});
