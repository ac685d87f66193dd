/** How a next edit looks: what goes is struck through, what comes stands beside it, a mark in the gutter. */

import * as vscode from "vscode";

const ADDED = new vscode.ThemeColor("diffEditor.insertedTextBackground");
const REMOVED = new vscode.ThemeColor("diffEditor.removedTextBackground");

/** A piece of an edit: what goes, and what comes behind it. */
export interface Drawn {
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

  show(editor: vscode.TextEditor, pieces: readonly Drawn[]): void {
    const start = pieces[0]?.range.start;
    editor.setDecorations(this.gutter, start ? [new vscode.Range(start, start)] : []);
    editor.setDecorations(
      this.removed,
      pieces.map(({ range }) => range).filter((range) => !range.isEmpty),
    );
    editor.setDecorations(
      this.added,
      pieces.filter(({ added }) => added).map((piece) => comes(editor.document, piece)),
    );
  }

  clear(editor: vscode.TextEditor): void {
    for (const type of [this.gutter, this.removed, this.added]) editor.setDecorations(type, []);
  }

  dispose(): void {
    for (const type of [this.gutter, this.removed, this.added]) type.dispose();
  }
}

function comes(document: vscode.TextDocument, { range, added }: Drawn): vscode.DecorationOptions {
  const isBlock = /[\r\n]/.test(added);
  const where = isBlock ? document.lineAt(range.start.line).range.end : range.end;
  const after = isBlock ? block(added) : { contentText: added, backgroundColor: ADDED };
  return { range: new vscode.Range(where, where), renderOptions: { after } };
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
