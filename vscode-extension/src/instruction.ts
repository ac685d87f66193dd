/** An edit by instruction: steps stream into a diff editor, and a list offers how many of them to take. */

import * as vscode from "vscode";
import { WorkDoneProgressCancelNotification, type LanguageClient } from "vscode-languageclient/node";
import { applied, enclosingDefinition, lineCounts, type TextEdit } from "./edits";
import type { GhostText } from "./ghostText";
import { remembered } from "./history";
import { editByInstruction, steps, type EditAnswer } from "./protocol";
import { VirtualTexts, baseName, closeDiff, inDocument } from "./virtual";

const HISTORY = "instructions";

interface Choice extends vscode.QuickPickItem {
  /** How many steps it takes; none is to reject them. */
  count: number;
}

export class InstructionEdits {
  private number = 0;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly client: () => LanguageClient | undefined,
    private readonly ghostText: GhostText,
    private readonly texts: VirtualTexts,
  ) {}

  async run(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const client = this.client();
    if (!editor || !client) return;
    const range = target(editor);
    const instruction = await this.askInstruction(range);
    if (!instruction) return;
    const history = this.context.globalState.get<string[]>(HISTORY, []);
    await this.context.globalState.update(HISTORY, remembered(history, instruction));
    await this.edit(client, editor.document, range, instruction);
  }

  /** What the user typed, or chose among what was typed before. */
  private askInstruction(range: vscode.Range | undefined): Promise<string | undefined> {
    const history = this.context.globalState.get<string[]>(HISTORY, []);
    const input = vscode.window.createQuickPick();
    input.title = range
      ? `LintSeq: edit lines ${range.start.line + 1}–${range.end.line + 1}`
      : "LintSeq: edit the file";
    input.placeholder = "What should change?";
    const update = (value: string): void => {
      const older = history
        .filter((entry) => entry !== value)
        .map((label) => ({ label, iconPath: HISTORY_ICON }));
      input.items = value ? [{ label: value, alwaysShow: true }, ...older] : older;
    };
    update("");
    return new Promise((resolve) => {
      let answer: string | undefined;
      input.onDidChangeValue(update);
      input.onDidAccept(() => {
        answer = (input.selectedItems[0]?.label ?? input.value).trim();
        input.hide();
      });
      input.onDidHide(() => {
        input.dispose();
        resolve(answer);
      });
      input.show();
    });
  }

  private async edit(
    client: LanguageClient,
    document: vscode.TextDocument,
    range: vscode.Range | undefined,
    instruction: string,
  ): Promise<void> {
    this.number += 1;
    const token = `lintseq-edit-${this.number}`;
    const states = [document.getText()];
    const changes: TextEdit[][] = [];
    const name = baseName(document);
    const preview = this.texts.add(name, document.getText());
    const list = new StepList(instruction, (count) => {
      this.texts.set(preview, states[count] ?? "");
      reveal(preview, changes[count - 1]?.[0]?.range.start.line);
    });
    let since = 0;
    const listener = client.onProgress(steps, token, ({ edits: sent, tier }) => {
      const edits = sent.map((edit) => ({ ...edit, newText: inDocument(edit.newText, document) }));
      const before = states[states.length - 1] ?? "";
      const after = applied(before, edits);
      changes.push(edits);
      states.push(after);
      const now = Date.now();
      const took = now - since < 1_000 ? `${now - since} ms` : `${((now - since) / 1_000).toFixed(1)} s`;
      since = now;
      const where = `${lineCounts(before, after)} at line ${(edits[0]?.range.start.line ?? 0) + 1}`;
      list.add(`${where} · ${tier ? `${tier}: ` : ""}no new finding · ${took}`);
    });
    await vscode.commands.executeCommand("vscode.diff", document.uri, preview, `${name}: ${instruction}`, {
      preview: true,
    });
    since = Date.now();
    const working = client.sendRequest(editByInstruction, {
      textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri), version: document.version },
      instruction,
      ...(range ? { range: client.code2ProtocolConverter.asRange(range) } : {}),
      partialResultToken: token,
      workDoneToken: `${token}-work`,
    });
    const stop = (): void => {
      void client.sendNotification(WorkDoneProgressCancelNotification.type, { token: `${token}-work` });
    };
    const ended = working.then(
      (answer) => this.verdicts(document, answer),
      () => "the server could not do it",
    );
    const count = await list.choose(ended, stop);
    stop();
    listener.dispose();
    await closeDiff(preview);
    this.texts.remove(preview);
    if (document.uri.scheme !== "vscode-notebook-cell") await vscode.window.showTextDocument(document);
    if (count) await accept(document, states, changes.slice(0, count));
  }

  /** How the work ended, for the list's title. */
  private async verdicts(document: vscode.TextDocument, answer: EditAnswer): Promise<string> {
    const explanation = await this.ghostText.explain(document).catch(() => null);
    const rejected = explanation?.rejected.length ?? 0;
    const words = answer.steps && answer.reason === "complete" ? "done" : answer.message;
    return rejected ? `${words}; ${rejected} ${rejected === 1 ? "try" : "tries"} rejected` : words;
  }
}

const HISTORY_ICON = new vscode.ThemeIcon("history");

const STOP: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("debug-stop"),
  tooltip: "Stop here, and keep the steps so far",
};

/** The list of steps that are there so far. */
class StepList {
  private readonly list = vscode.window.createQuickPick<Choice>();
  private readonly steps: Choice[] = [];
  private result: string | undefined;

  constructor(
    private readonly instruction: string,
    private readonly show: (count: number) => void,
  ) {
    this.list.ignoreFocusOut = true;
    this.list.placeholder = "Enter accepts the steps up to the chosen one; Escape rejects all";
    this.list.onDidChangeActive(([active]) => {
      if (active) this.show(active.count);
    });
  }

  add(description: string): void {
    const count = this.steps.length + 1;
    this.steps.push({ label: `$(pass) Accept up to step ${count}`, description, count });
    this.update();
  }

  /** The number of steps that the user takes. */
  choose(ended: Promise<string>, stop: () => void): Promise<number> {
    this.list.busy = true;
    this.list.buttons = [STOP];
    this.list.onDidTriggerButton(stop);
    this.update();
    void ended.then((words) => {
      this.result = words;
      this.list.busy = false;
      this.list.buttons = [];
      this.update();
    });
    return new Promise((resolve) => {
      let chosen = 0;
      this.list.onDidAccept(() => {
        const [item] = this.list.selectedItems;
        if (!item) return;
        chosen = item.count;
        this.list.hide();
      });
      this.list.onDidHide(() => {
        this.list.dispose();
        resolve(chosen);
      });
      this.list.show();
    });
  }

  private update(): void {
    const total = this.steps.length;
    this.list.title = `LintSeq: ${this.instruction} (${this.result ?? "working …"})`;
    const all = {
      label: `$(pass-filled) Accept all (${total} ${total === 1 ? "step" : "steps"})`,
      count: total,
      alwaysShow: true,
    };
    const none = { label: total ? "$(close) Reject" : "$(close) Close", count: 0, alwaysShow: true };
    const active = this.list.activeItems[0];
    const items = total ? [all, ...this.steps, none] : this.result === undefined ? [] : [none];
    this.list.items = items;
    // "Accept all" follows the steps as they come; a step that the user looks at stays.
    const kept = active && this.steps.includes(active) ? active : items[0];
    if (kept) this.list.activeItems = [kept];
    this.show(kept?.count ?? 0);
  }
}

/** Shows the line of a step, below the list. */
function reveal(preview: vscode.Uri, line: number | undefined): void {
  const editor = vscode.window.visibleTextEditors.find(
    ({ document }) => document.uri.toString() === preview.toString(),
  );
  if (editor && line !== undefined)
    editor.revealRange(new vscode.Range(line, 0, line, 0), vscode.TextEditorRevealType.InCenter);
}

/** The selection, else the definition around the cursor, else nothing: the whole file. */
function target(editor: vscode.TextEditor): vscode.Range | undefined {
  if (!editor.selection.isEmpty) return editor.selection;
  const lines = editor.document.getText().split(/\r\n|\r|\n/);
  const found = enclosingDefinition(lines, editor.selection.active.line);
  return found && new vscode.Range(found[0], 0, found[1], (lines[found[1]] ?? "").length);
}

/** Applies the steps one by one, so that each has an undo of its own. */
async function accept(document: vscode.TextDocument, states: string[], changes: TextEdit[][]): Promise<void> {
  for (const [index, edits] of changes.entries()) {
    if (document.getText() !== states[index]) {
      void vscode.window.showWarningMessage(
        "LintSeq: the file has changed, so the other steps were not applied.",
      );
      return;
    }
    const change = new vscode.WorkspaceEdit();
    for (const { range, newText } of edits)
      change.replace(
        document.uri,
        new vscode.Range(range.start.line, range.start.character, range.end.line, range.end.character),
        newText,
      );
    if (!(await vscode.workspace.applyEdit(change))) return;
  }
}
