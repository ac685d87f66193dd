/** Text edits on plain strings, in UTF-16 units as the protocol has them. Knows no editor. */

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

export interface TextEdit {
  range: Range;
  newText: string;
}

const LINE_END = /\r\n|\r|\n/g;

/** Offset of a position in `text`, clamped to its line. */
export function offsetAt(text: string, position: Position): number {
  let start = 0;
  let line = 0;
  LINE_END.lastIndex = 0;
  for (let match = LINE_END.exec(text); match; match = LINE_END.exec(text)) {
    if (line === position.line) return Math.min(start + position.character, match.index);
    line += 1;
    start = match.index + match[0].length;
  }
  return line < position.line ? text.length : Math.min(start + position.character, text.length);
}

/** `text` with edits that do not overlap; all are in coordinates of `text`. */
export function applied(text: string, edits: readonly TextEdit[]): string {
  const placed = edits
    .map((edit) => ({
      start: offsetAt(text, edit.range.start),
      end: offsetAt(text, edit.range.end),
      text: edit.newText,
    }))
    .sort((one, other) => other.start - one.start || other.end - one.end);
  return placed.reduce(
    (result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end),
    text,
  );
}

/** `text` with those line ends: an editor has one kind in a document, whatever it is sent. */
export function withLineEnds(text: string, end: string): string {
  return text.replace(LINE_END, end);
}

export interface Difference {
  /** Units at the beginning and the end that `before` and `after` share. */
  prefix: number;
  suffix: number;
  removed: string;
  added: string;
}

/** The smallest single replacement that makes `after` of `before`. */
export function difference(before: string, after: string): Difference {
  const shorter = Math.min(before.length, after.length);
  let prefix = 0;
  while (prefix < shorter && before[prefix] === after[prefix]) prefix += 1;
  let suffix = 0;
  while (suffix < shorter - prefix && before[before.length - 1 - suffix] === after[after.length - 1 - suffix])
    suffix += 1;
  return {
    prefix,
    suffix,
    removed: before.slice(prefix, before.length - suffix),
    added: after.slice(prefix, after.length - suffix),
  };
}

export interface Piece {
  /** Units of the text before: what goes is between them, what comes stands behind. */
  start: number;
  end: number;
  added: string;
}

const MOST_TOKENS = 400;

/** What changes, word by word, as people see it: text that stays in between is not shown as gone and come. */
export function pieces(before: string, after: string): Piece[] {
  const { prefix, suffix, removed, added } = difference(before, after);
  const whole = [{ start: prefix, end: before.length - suffix, added }];
  if (/[\r\n]/.test(removed + added)) return whole;
  const from = tokens(before);
  const to = tokens(after);
  if (from.length > MOST_TOKENS || to.length > MOST_TOKENS) return whole;
  const kept = longestCommon(from, to);
  const found: Piece[] = [];
  let [old, now, start] = [0, 0, 0];
  for (const [nextOld, nextNow] of [...kept, [from.length, to.length] as const]) {
    const gone = from.slice(old, nextOld).join("").length;
    const come = to.slice(now, nextNow).join("");
    if (gone || come) found.push({ start, end: start + gone, added: come });
    start += gone + (from[nextOld]?.length ?? 0);
    [old, now] = [nextOld + 1, nextNow + 1];
  }
  return found;
}

function tokens(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+|\s+|./gsu) ?? [];
}

/** Pairs of indexes of a longest common subsequence. */
function longestCommon(one: readonly string[], other: readonly string[]): [number, number][] {
  const width = other.length + 1;
  const lengths = new Uint16Array((one.length + 1) * width);
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0;
  for (let row = one.length - 1; row >= 0; row -= 1)
    for (let column = other.length - 1; column >= 0; column -= 1)
      lengths[row * width + column] =
        one[row] === other[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
  const pairs: [number, number][] = [];
  let [row, column] = [0, 0];
  while (row < one.length && column < other.length) {
    if (one[row] === other[column]) pairs.push([row++, column++]);
    else if (at(row + 1, column) >= at(row, column + 1)) row += 1;
    else column += 1;
  }
  return pairs;
}

/** "+3 −1" for people: lines that an edit adds and takes away. */
export function lineCounts(before: string, after: string): string {
  const { removed, added } = difference(before, after);
  const count = (text: string): number =>
    text.trim() ? text.replace(/^\r?\n|\r?\n$/g, "").split(/\r?\n/).length : 0;
  const parts = [count(added) ? `+${count(added)}` : "", count(removed) ? `−${count(removed)}` : ""];
  return parts.filter(Boolean).join(" ") || "±0";
}

/** First and last line of the definition around `line`, its decorators included; undefined outside of any. */
export function enclosingDefinition(lines: readonly string[], line: number): [number, number] | undefined {
  for (let first = line; first >= 0; first -= 1) {
    if (!/^\s*(?:async\s+def|def|class)\b/.test(lines[first] ?? "")) continue;
    const last = lastOfBlock(lines, first);
    if (last >= line) return [firstDecorator(lines, first), last];
  }
  return undefined;
}

function indentation(line: string): number {
  return line.length - line.trimStart().length;
}

/** The last line that belongs to the header in line `first`; a bracket that closes it does not end it. */
function lastOfBlock(lines: readonly string[], first: number): number {
  const depth = indentation(lines[first] ?? "");
  let last = first;
  for (let next = first + 1; next < lines.length; next += 1) {
    const line = lines[next] ?? "";
    if (line.trim() === "") continue;
    if (indentation(line) <= depth && !/^\s*[)\]}]/.test(line)) break;
    last = next;
  }
  return last;
}

function firstDecorator(lines: readonly string[], header: number): number {
  const isDecorator = (line: string): boolean =>
    /^\s*@/.test(line) && indentation(line) === indentation(lines[header] ?? "");
  let first = header;
  while (isDecorator(lines[first - 1] ?? "")) first -= 1;
  return first;
}
