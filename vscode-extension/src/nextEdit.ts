/** Edits away from the cursor: asked for when typing pauses, shown, jumped to, accepted one after the other. */

import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { Drawing } from "./drawing";
import { applied, pieces, type TextEdit } from "./edits";
import type { GhostText } from "./ghostText";
import { nextEdits, rejected, showedNextEdit, type InlineEdit } from "./protocol";
import { nextEditWanted } from "./settings";
import { SCHEME, VirtualTexts, baseName, inDocument } from "./virtual";

const PAUSE = 400;
const SHOWN = "lintseq.nextEditShown";
const TAKES_TAB = "lintseq.nextEditTakesTab";

interface Offer {
  editor: vscode.TextEditor;
  version: number;
  /** In sequence order; what is shown is the first. */
  edits: InlineEdit[];
  range: vscode.Range;
  /** Whether the user asked for it, or went to it by Tab, and has not moved the cursor since. */
  invited: boolean;
}

export class NextEdits implements vscode.Disposable {
  private offer: Offer | undefined;
  /** What was shown in an editor that is not the active one any more. */
  private left: Offer | undefined;
  private asking: vscode.CancellationTokenSource | undefined;
  private pause: NodeJS.Timeout | undefined;
  private applying = false;
  private readonly drawing: Drawing;
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChange = this.changed.event;
  private readonly listeners: vscode.Disposable[];

  constructor(
    context: vscode.ExtensionContext,
    private readonly client: () => LanguageClient | undefined,
    private readonly ghostText: GhostText,
    private readonly texts: VirtualTexts,
  ) {
    this.drawing = new Drawing(context);
    this.listeners = [
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length) this.documentChanged(document);
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor, kind }) => {
        const { Keyboard, Mouse } = vscode.TextEditorSelectionChangeKind;
        if (textEditor !== this.offer?.editor || (kind !== Keyboard && kind !== Mouse)) return;
        this.offer.invited = false;
        this.tellKeys();
      }),
      vscode.window.onDidChangeActiveTextEditor((editor) => {
        const left = this.offer ?? this.left;
        this.clear();
        // Whoever looked elsewhere, at the preview for one, finds it again.
        this.left = left;
        if (!editor || editor.document !== left?.editor.document) return;
        if (editor.document.version === left.version) this.show(editor, left.edits, left.invited);
      }),
    ];
  }

  /** The line (one-based) of the edit that is shown. */
  get shownLine(): number | undefined {
    return this.offer && this.offer.range.start.line + 1;
  }

  /** Asks for the next edit now, because the user wants it. */
  async ask(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor || !this.ghostText.isWanted(editor.document)) return;
    this.ghostText.forget(editor.document);
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: "LintSeq: looking for the next edit" },
      () => this.request(editor, 1, true),
    );
    const explanation = this.offer ? null : await this.ghostText.explain(editor.document);
    if (explanation) await vscode.commands.executeCommand("lintseq.explain");
  }

  async goOrAccept(): Promise<void> {
    const { offer } = this;
    if (!offer) return;
    const { editor, range } = offer;
    const line = editor.selection.active.line;
    if (range.start.line <= line && line <= range.end.line) {
      await this.accept(offer);
      return;
    }
    editor.selection = new vscode.Selection(range.start, range.start);
    offer.invited = true;
    this.tellKeys();
    editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  /** Takes the edit away; the server does not offer it again. */
  reject(): void {
    const edit = this.offer?.edits[0];
    if (edit) void this.client()?.sendNotification(rejected, { item: { command: edit.command } });
    this.clear();
  }

  /** All the edits that are known, as a diff of the file. */
  async preview(): Promise<void> {
    const { offer } = this;
    if (!offer) return;
    const { document } = offer.editor;
    const name = baseName(document);
    const edits = offer.edits.map((edit) => asTextEdit(edit, document));
    const after = this.texts.add(name, applied(document.getText(), edits));
    await vscode.commands.executeCommand("vscode.diff", document.uri, after, `${name}: next edits`);
  }

  clear(): void {
    clearTimeout(this.pause);
    this.asking?.cancel();
    this.left = undefined;
    if (!this.offer) return;
    this.drawing.clear(this.offer.editor);
    this.offer = undefined;
    this.tellKeys();
    this.changed.fire(undefined);
  }

  dispose(): void {
    this.clear();
    for (const listener of this.listeners) listener.dispose();
    this.drawing.dispose();
    this.changed.dispose();
  }

  /** Which keys are ours now. In a line's indentation, Tab indents before it goes to an edit elsewhere. */
  private tellKeys(): void {
    const { offer } = this;
    const cursor = offer?.editor.selection.active;
    const indents =
      offer &&
      cursor &&
      !/\S/.test(offer.editor.document.lineAt(cursor.line).text.slice(0, cursor.character));
    void vscode.commands.executeCommand("setContext", SHOWN, offer !== undefined);
    void vscode.commands.executeCommand("setContext", TAKES_TAB, offer && (offer.invited || !indents));
  }

  private documentChanged(document: vscode.TextDocument): void {
    const editor = vscode.window.activeTextEditor;
    if (this.applying || document !== editor?.document || document.uri.scheme === SCHEME) return;
    this.clear();
    if (!nextEditWanted() || !this.ghostText.isWantedUnasked(document)) return;
    this.pause = setTimeout(() => void this.request(editor, 2, false), PAUSE);
  }

  private async request(editor: vscode.TextEditor, triggerKind: 1 | 2, invited: boolean): Promise<void> {
    const client = this.client();
    this.clear();
    if (!client) return;
    const { document } = editor;
    const { version } = document;
    const asking = (this.asking = new vscode.CancellationTokenSource());
    const answer = await client
      .sendRequest(
        nextEdits,
        {
          textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri), version },
          position: editor.selection.active,
          context: { triggerKind },
        },
        asking.token,
      )
      .catch(() => undefined); // cancelled, or the server has ended: there is nothing to show
    if (asking.token.isCancellationRequested || document.version !== version || !answer) return;
    this.show(editor, answer.edits, invited);
  }

  private show(editor: vscode.TextEditor, edits: InlineEdit[], invited: boolean): void {
    const [edit] = edits;
    if (!edit || editor !== vscode.window.activeTextEditor) return;
    const { document } = editor;
    const whole = document.validateRange(asRange(edit));
    const before = document.getText(whole);
    const start = document.offsetAt(whole.start);
    const drawn = pieces(before, asTextEdit(edit, document).newText).map((piece) => ({
      range: new vscode.Range(
        document.positionAt(start + piece.start),
        document.positionAt(start + piece.end),
      ),
      added: piece.added,
    }));
    const [first, last] = [drawn[0], drawn[drawn.length - 1]];
    if (!first || !last) return;
    const range = first.range.union(last.range);
    const line = editor.selection.active.line;
    const atCursor = range.start.line <= line && line <= range.end.line;
    // There, ghost text is the better way to show it, and Tab is its own.
    if (atCursor && this.ghostText.isShown(document)) return;
    this.offer = { editor, version: document.version, edits, range, invited };
    this.drawing.show(editor, drawn);
    this.tellKeys();
    void this.client()?.sendNotification(showedNextEdit, { item: { command: edit.command } });
    this.changed.fire(undefined);
  }

  private async accept(offer: Offer): Promise<void> {
    const [edit] = offer.edits;
    const { editor } = offer;
    if (!edit || editor.document.version !== offer.version) {
      this.clear();
      return;
    }
    this.applying = true;
    const done = await editor
      .edit((builder) => {
        builder.replace(asRange(edit), edit.text);
      })
      .then(undefined, () => false);
    this.applying = false;
    this.clear();
    if (!done) return;
    const { start } = edit.range;
    const lines = edit.text.replace(/\r?\n$/, "").split(/\r?\n/);
    const column = (lines.length === 1 ? start.character : 0) + (lines[lines.length - 1] ?? "").length;
    const end = new vscode.Position(start.line + lines.length - 1, column);
    editor.selection = new vscode.Selection(end, end);
    await vscode.commands.executeCommand(
      edit.command.command,
      ...((edit.command.arguments ?? []) as unknown[]),
    );
    await this.request(editor, 2, true);
  }
}

function asRange(edit: InlineEdit): vscode.Range {
  const { start, end } = edit.range;
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

function asTextEdit(edit: InlineEdit, document: vscode.TextDocument): TextEdit {
  return { range: edit.range, newText: inDocument(edit.text, document) };
}
