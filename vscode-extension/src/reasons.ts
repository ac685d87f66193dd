/** What `lintseq/explain` answers, in words. Knows no editor. */

export interface Finding {
  symbol: string;
  code: string;
  message: string;
  line: number;
}

export interface Explanation {
  reason: string;
  detail: string;
  cached: boolean;
  milliseconds: number;
  promptTokensRead: number;
  tiers: string[];
  suggestions: { id: string; states: number; newFindings: number; tier: string; milliseconds: number }[];
  rejected: { reason: string; detail: string; findings: Finding[] }[];
}

/** Every reason the server has; a test compares them with its list. */
export const REASONS: Readonly<Record<string, string>> = {
  accepted: "there is a suggestion",
  "new-findings": "a new lint finding",
  "does-not-parse": "does not parse",
  pragma: "a comment that silences a linter",
  "linter-failed": "the linter failed",
  malformed: "not a diff",
  complete: "the model has nothing to add",
  "nothing-new": "the answer stands there already",
  "no-fit": "the answer does not fit the text around the cursor",
  "base-does-not-parse": "the file does not parse",
  "newer-syntax": "the file seems to use newer Python than the server's",
  "rejected-before": "you did not want it before",
  unsure: "the model is not sure enough",
  "in-string-or-comment": "inside of a string or a comment",
  "too-long": "the file is too long",
  ignored: "this file is left alone",
  stale: "the file has changed meanwhile",
  superseded: "a newer request took its place",
  cancelled: "cancelled",
  "no-model": "there is no model",
  limit: "tries or tokens were used up",
  off: "switched off",
};

export function inWords(reason: string): string {
  return REASONS[reason] ?? reason;
}

/** An explanation for people to read. */
export function report(name: string, explanation: Explanation | null): string {
  if (!explanation) return `Nothing was asked for ${name} yet.\n`;
  const { reason, detail, cached, milliseconds, tiers, suggestions, rejected } = explanation;
  const lines = [
    `The last answer for ${name}:`,
    `${inWords(reason)} (${reason})${detail ? `: ${detail}` : ""}.`,
    "",
    `${cached ? "From memory" : `It took ${milliseconds} ms`}, checked by ${tiers.join(", ") || "nothing"}.`,
  ];
  if (suggestions.length) lines.push("", "Offered:");
  for (const { id, states, tier, newFindings } of suggestions)
    lines.push(
      `  ${id}: ${states} ${states === 1 ? "state" : "states"} checked by ${tier}, ${newFindings} new findings`,
    );
  if (rejected.length) lines.push("", "Tried and rejected:");
  for (const verdict of rejected) {
    lines.push(`  ${inWords(verdict.reason)}${verdict.detail ? `: ${verdict.detail}` : ""}`);
    for (const { line, message, symbol, code } of verdict.findings)
      lines.push(`    line ${line}: ${message} (${symbol}${code ? `, ${code}` : ""})`);
  }
  return lines.join("\n") + "\n";
}
