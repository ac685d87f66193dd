/** Other extensions that suggest at the cursor. VS Code names no providers, only extensions. */

import * as vscode from "vscode";
import { stepBackWanted } from "./settings";

const KNOWN: Record<string, string> = {
  "GitHub.copilot": "GitHub Copilot",
  "GitHub.copilot-chat": "GitHub Copilot",
  "AmazonWebServices.amazon-q-vscode": "Amazon Q",
  "augment.vscode-augment": "Augment",
  "Codeium.codeium": "Windsurf",
  "Continue.continue": "Continue",
  "ggml-org.llama-vscode": "llama.vscode",
  "Google.geminicodeassist": "Gemini Code Assist",
  "sourcegraph.cody-ai": "Cody",
  "Supermaven.supermaven": "Supermaven",
  "TabbyML.vscode-tabby": "Tabby",
  "TabNine.tabnine-vscode": "Tabnine",
};

/** Names that the user was told of, in any window. */
const TOLD = "told-of-others";

export class Others implements vscode.Disposable {
  /** What is told in this window until the user looks into the menu. */
  private news: string | undefined;
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChange = this.changed.event;
  private readonly listener = vscode.extensions.onDidChange(() => {
    this.changed.fire(undefined);
  });

  constructor(private readonly state: vscode.Memento) {}

  /** The name of another extension that may suggest in this document. */
  name(document: vscode.TextDocument): string | undefined {
    const ids = Object.keys(KNOWN).filter((id) => vscode.extensions.getExtension(id) && isOn(id, document));
    return ids[0] && KNOWN[ids[0]];
  }

  /** Whether suggestions come only when the user asks for them, because another extension is there. */
  hasStepBack(document: vscode.TextDocument): boolean {
    return stepBackWanted() && this.name(document) !== undefined;
  }

  /** Whether the user has not heard of that extension yet. From now on, it counts as told. */
  isNews(name: string): boolean {
    const told = this.state.get<string[]>(TOLD, []);
    if (!told.includes(name)) {
      this.news = name;
      void this.state.update(TOLD, [...told, name]);
    }
    return this.news === name;
  }

  /** The user has seen it. */
  seen(): void {
    if (this.news === undefined) return;
    this.news = undefined;
    this.changed.fire(undefined);
  }

  dispose(): void {
    this.listener.dispose();
    this.changed.dispose();
  }
}

/** Copilot is part of VS Code: what counts is whether its own setting leaves it on for the language. */
function isOn(id: string, document: vscode.TextDocument): boolean {
  if (!id.startsWith("GitHub.")) return true;
  const languages = vscode.workspace
    .getConfiguration("github.copilot", document)
    .get<Record<string, boolean>>("enable", {});
  return languages[document.languageId] ?? languages["*"] ?? true;
}
