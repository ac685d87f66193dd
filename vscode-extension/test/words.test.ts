import assert from "node:assert/strict";
import { test } from "node:test";
import { remembered } from "../src/history";
import { besideInterpreter, expanded, inEnvironment, named, onPath } from "../src/places";
import { inWords, report } from "../src/reasons";

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

test("instructions: the newest first, each once, not too many", () => {
  assert.deepEqual(remembered(["a", "b"], "b"), ["b", "a"]);
  const many = Array.from({ length: 50 }, (_, index) => `${index}`);
  assert.equal(remembered(many, "x").length, 30);
});

test("an explanation names the findings that stood against an answer", () => {
  const text = report("a.py", {
    reason: "new-findings",
    detail: "",
    cached: false,
    milliseconds: 12.5,
    promptTokensRead: 3,
    tiers: ["pylint"],
    suggestions: [],
    rejected: [
      {
        reason: "new-findings",
        detail: "",
        findings: [
          { symbol: "undefined-variable", code: "E0602", message: "Undefined variable 'x'", line: 4 },
        ],
      },
    ],
  });
  assert.match(text, /line 4: Undefined variable 'x' \(undefined-variable, E0602\)/);
  assert.match(text, /12\.5 ms, checked by pylint/);
  assert.match(report("a.py", null), /Nothing was asked/);
  assert.equal(inWords("something-new"), "something-new");
});
