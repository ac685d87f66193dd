import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applied,
  difference,
  enclosingDefinition,
  lineCounts,
  offsetAt,
  pieces,
  withLineEnds,
} from "../src/edits";

const span = (line: number, start: number, end: number, last = line) => ({
  start: { line, character: start },
  end: { line: last, character: end },
});

test("offsets are clamped to their line and count every kind of line end", () => {
  const text = "ab\r\ncd\n\nef";
  assert.equal(offsetAt(text, { line: 0, character: 9 }), 2);
  assert.equal(offsetAt(text, { line: 1, character: 1 }), 5);
  assert.equal(offsetAt(text, { line: 2, character: 4 }), 7);
  assert.equal(offsetAt(text, { line: 3, character: 9 }), 10);
  assert.equal(offsetAt(text, { line: 9, character: 0 }), 10);
});

test("edits are in coordinates of the text before all of them", () => {
  const edits = [
    { range: span(0, 0, 1), newText: "xyz" },
    { range: span(1, 1, 1), newText: "\n" },
  ];
  assert.equal(applied("a\nbc\n", edits), "xyz\nb\nc\n");
  assert.equal(applied("𝑎 = 1\n", [{ range: span(0, 2, 2), newText: "b" }]), "𝑎b = 1\n");
});

test("line ends become the document's", () => {
  assert.equal(withLineEnds("a\nb\r\nc\rd", "\r\n"), "a\r\nb\r\nc\r\nd");
  assert.equal(withLineEnds("a\r\n", "\n"), "a\n");
});

test("the difference is the smallest replacement", () => {
  assert.deepEqual(difference("return x", "return y"), { prefix: 7, suffix: 0, removed: "x", added: "y" });
  assert.deepEqual(difference("aa", "aaa"), { prefix: 2, suffix: 0, removed: "", added: "a" });
  assert.deepEqual(difference("same", "same"), { prefix: 4, suffix: 0, removed: "", added: "" });
});

test("pieces leave what stays alone", () => {
  const before = "def area(radius):";
  const after = "def area(radius: float) -> float:";
  assert.deepEqual(pieces(before, after), [
    { start: 15, end: 15, added: ": float" },
    { start: 16, end: 16, added: " -> float" },
  ]);
  assert.deepEqual(pieces("x = old + 1", "x = new_name + 1"), [{ start: 4, end: 7, added: "new_name" }]);
  assert.deepEqual(pieces("a\n", "a\nb\n"), [{ start: 2, end: 2, added: "b\n" }]);
  assert.deepEqual(pieces("same", "same"), []);
  for (const [one, other] of [
    ["größe = 𝑟", "𝑟 = größe + 1"],
    ["", "new"],
    ["gone", ""],
  ] as const) {
    const result = pieces(one, other).reduceRight(
      (text, piece) => text.slice(0, piece.start) + piece.added + text.slice(piece.end),
      one as string,
    );
    assert.equal(result, other);
  }
});

test("lines are counted as people do", () => {
  assert.equal(lineCounts("a\n", "a\nb\nc\n"), "+2");
  assert.equal(lineCounts("a\nb\n", "a\n"), "−1");
  assert.equal(lineCounts("a = 1\n", "a = 2\n"), "+1 −1");
});

const PROGRAM = [
  "import math", // 0
  "", // 1
  "@cached", // 2
  "def area(", // 3
  "    radius,", // 4
  "):", // 5
  "    if radius:", // 6
  "", // 7
  "        return 1", // 8
  "", // 9
  "class A:", // 10
  "    def f(self):", // 11
  "        return 2", // 12
  "", // 13
  "print(1)", // 14
];

for (const [line, wanted] of [
  [0, undefined],
  [4, [2, 8]],
  [8, [2, 8]],
  [10, [10, 12]],
  [12, [11, 12]],
  [14, undefined],
] as const)
  test(`the definition around line ${line}`, () => {
    assert.deepEqual(enclosingDefinition(PROGRAM, line), wanted);
  });
