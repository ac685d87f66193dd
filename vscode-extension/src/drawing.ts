/** How a next edit looks: what goes is struck through, what comes stands beside it, a mark in the gutter. */

import * as vscode from "vscode";

const ADDED = new vscode.ThemeColor("diffEditor.insertedTextBackground");
const REMOVED = new vscode.ThemeColor("diffEditor.removedTextBackground");

interface Drawn {
  /** What really changes, without the text that the edit leaves as it is. */
  range: vscode.Range;
  added: string;
}

export class Drawing implements vscode.Disposable {
  private readonly gutter: vscode.TextEditorDecorationType;
  private readonly removed = vscode.window.createTextEditorDecorationType({
    backgroundColor: REMOVED,
    textDecoration: "line-through",
    overviewRulerColor: new vscode.ThemeColor("editorOverviewRuler.modifiedForeground"),
    overviewRulerLane: vscode.OverviewRulerLane.Right,
  });
  private readonly added = vscode.window.createTextEditorDecorationType({
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });

  constructor(context: vscode.ExtensionContext) {
    this.gutter = vscode.window.createTextEditorDecorationType({
      gutterIconPath: vscode.Uri.file(context.asAbsolutePath("images/gutter.svg")),
      gutterIconSize: "80%",
    });
  }

  show(editor: vscode.TextEditor, { range, added }: Drawn): void {
    editor.setDecorations(this.gutter, [new vscode.Range(range.start, range.start)]);
    editor.setDecorations(this.removed, range.isEmpty ? [] : [range]);
    const after = /[\r\n]/.test(added) ? block(added) : { contentText: added, backgroundColor: ADDED };
    const isBlock = "contentIconPath" in after;
    const where = isBlock ? editor.document.lineAt(range.start.line).range.end : range.end;
    editor.setDecorations(
      this.added,
      added ? [{ range: new vscode.Range(where, where), renderOptions: { after } }] : [],
    );
  }

  clear(editor: vscode.TextEditor): void {
    for (const type of [this.gutter, this.removed, this.added]) editor.setDecorations(type, []);
  }

  dispose(): void {
    for (const type of [this.gutter, this.removed, this.added]) type.dispose();
  }
}

/** Several lines as a picture right of the code, since a decoration's text ends with its first line. */
function block(text: string): vscode.ThemableDecorationAttachmentRenderOptions {
  const configuration = vscode.workspace.getConfiguration("editor");
  const size = configuration.get("fontSize", 14);
  const lines = text
    .replace(/^\r?\n|\r?\n\s*$/g, "")
    .split(/\r?\n/)
    .map((line) => line.replaceAll("\t", "    "));
  const indent = Math.min(...lines.filter((line) => line.trim()).map((line) => line.search(/\S/)));
  const shown = lines.map((line) => line.slice(indent));
  const height = Math.round(size * 1.4);
  const width = Math.ceil(Math.max(...shown.map((line) => line.length)) * size * 0.62 + size);
  const dark = vscode.window.activeColorTheme.kind !== vscode.ColorThemeKind.Light;
  const [ink, paper, edge] = dark ? ["#d4d4d4", "#1f3325", "#3c6e47"] : ["#1f2328", "#dafbe1", "#4ac26b"];
  const rows = shown
    .map(
      (line, index) =>
        `<text x="${size / 2}" y="${(index + 1) * height - size * 0.3}">${escaped(line)}</text>`,
    )
    .join("");
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${shown.length * height + 4}">` +
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${shown.length * height + 3}" rx="3" fill="${paper}" stroke="${edge}"/>` +
    `<g xml:space="preserve" style="white-space:pre" fill="${ink}" font-size="${size}" ` +
    `font-family="${escaped(configuration.get("fontFamily", "monospace"))}">${rows}</g></svg>`;
  return {
    contentIconPath: vscode.Uri.parse(`data:image/svg+xml;utf8,${encodeURIComponent(svg)}`, true),
    margin: "0 0 0 2em",
    // Out of the flow: the lines below keep their place.
    textDecoration: "none; position: absolute; z-index: 10",
  };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
