/** What `lintseq/explain` answers, in words. Knows no editor. */

export interface Finding {
  symbol: string;
  code: string;
  message: string;
  line: number;
}

export interface Explanation {
  reason: string;
  /** The reason, for people. */
  message: string;
  detail: string;
  cached: boolean;
  milliseconds: number;
  promptTokensRead: number;
  tiers: string[];
  suggestions: { id: string; states: number; newFindings: number; tier: string; milliseconds: number }[];
  rejected: { reason: string; message: string; detail: string; findings: Finding[] }[];
}

/** An explanation for people to read. */
export function report(name: string, explanation: Explanation | null): string {
  if (!explanation) return `There was no request for ${name} yet.\n`;
  const { reason, message, detail, cached, milliseconds, tiers, suggestions, rejected } = explanation;
  const lines = [
    `The last answer for ${name}:`,
    `${message} (${reason}${detail ? `: ${detail}` : ""})`,
    "",
    `${cached ? "From memory" : `It took ${milliseconds} ms`}, checked by ${tiers.join(", ") || "nothing"}.`,
  ];
  if (suggestions.length) lines.push("", "Shown:");
  for (const { id, states, tier, newFindings } of suggestions)
    lines.push(
      `  ${id}: ${states} ${states === 1 ? "text" : "texts"} checked by ${tier}, ${newFindings} new findings`,
    );
  if (rejected.length) lines.push("", "Tried and rejected:");
  for (const verdict of rejected) {
    lines.push(`  ${verdict.message}${verdict.detail ? ` (${verdict.detail})` : ""}`);
    for (const { line, message, symbol, code } of verdict.findings)
      lines.push(`    line ${line}: ${message} (${symbol}${code ? `, ${code}` : ""})`);
  }
  return lines.join("\n") + "\n";
}
