/** Read-only texts that live in memory, previews and reports; and what they need of documents. */

import * as vscode from "vscode";
import { withLineEnds } from "./edits";

export const SCHEME = "lintseq";

export class VirtualTexts implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private count = 0;
  readonly onDidChange = this.changed.event;

  /** A new text under that name; the name's extension chooses the language. */
  add(name: string, text: string): vscode.Uri {
    this.count += 1;
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${this.count}/${name}` });
    this.texts.set(uri.path, text);
    return uri;
  }

  set(uri: vscode.Uri, text: string): void {
    if (this.texts.get(uri.path) === text) return;
    this.texts.set(uri.path, text);
    this.changed.fire(uri);
  }

  remove(...uris: vscode.Uri[]): void {
    for (const uri of uris) this.texts.delete(uri.path);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  dispose(): void {
    this.changed.dispose();
  }
}

/** Closes the diff editors of that text. */
export async function closeDiff(modified: vscode.Uri): Promise<void> {
  const tabs = vscode.window.tabGroups.all
    .flatMap((group) => group.tabs)
    .filter(
      (tab) =>
        tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === modified.toString(),
    );
  if (tabs.length) await vscode.window.tabGroups.close(tabs, true);
}

/** `text` as it reads once it is in the document. */
export function inDocument(text: string, document: vscode.TextDocument): string {
  return withLineEnds(text, document.eol === vscode.EndOfLine.CRLF ? "\r\n" : "\n");
}

export function baseName(document: vscode.TextDocument): string {
  return document.uri.path.split("/").pop() ?? document.fileName;
}
