/** Ghost text is the client library's; here is what it is asked for, and why nothing came. */

import * as vscode from "vscode";
import type { LanguageClient, Middleware } from "vscode-languageclient/node";
import type { Others } from "./others";
import { explain } from "./protocol";
import type { Explanation } from "./reasons";
import { isEnabled, isServed } from "./settings";

export class GhostText implements vscode.Disposable {
  /** Why the last request of a document had no answer, by URI; nothing there when it had one. */
  private readonly silences = new Map<string, string>();
  private readonly shown = new Map<string, number>();
  private readonly answered = new vscode.EventEmitter<vscode.TextDocument>();
  private snoozedUntil = 0;
  private waking: NodeJS.Timeout | undefined;
  readonly onAnswer = this.answered.event;
  private readonly woken = new vscode.EventEmitter<undefined>();
  readonly onSnooze = this.woken.event;

  readonly middleware: Middleware = {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      const isAsked = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
      if (!(isAsked ? this.isWanted(document) : this.isWantedUnasked(document))) return [];
      const version = document.version;
      const answer = await next(document, position, context, token);
      const items = Array.isArray(answer) ? answer : (answer?.items ?? []);
      if (token.isCancellationRequested) return answer;
      if (items.length) {
        this.silences.delete(document.uri.toString());
        this.shown.set(document.uri.toString(), version);
        this.answered.fire(document);
      } else {
        this.shown.delete(document.uri.toString());
        void this.noteSilence(document);
      }
      return answer;
    },
    provideCodeActions: (document, range, context, token, next) =>
      isEnabled(document) ? next(document, range, context, token) : [],
  };

  constructor(
    private readonly client: () => LanguageClient | undefined,
    private readonly others: Others,
  ) {}

  /** Whether suggestions are wanted in this document now, at least on request. */
  isWanted(document: vscode.TextDocument): boolean {
    return isServed(document) && isEnabled(document) && !this.isSnoozed;
  }

  isWantedUnasked(document: vscode.TextDocument): boolean {
    return this.isWanted(document) && !this.others.hasStepBack(document);
  }

  get isSnoozed(): boolean {
    return Date.now() < this.snoozedUntil;
  }

  /** Nothing is suggested for so long; zero wakes. */
  snooze(minutes: number): void {
    clearTimeout(this.waking);
    this.snoozedUntil = Date.now() + minutes * 60_000;
    if (minutes > 0)
      this.waking = setTimeout(() => {
        this.woken.fire(undefined);
      }, minutes * 60_000);
    this.woken.fire(undefined);
  }

  /** Whether ghost text was answered for the document as it is. */
  isShown(document: vscode.TextDocument): boolean {
    return this.shown.get(document.uri.toString()) === document.version;
  }

  /** Why nothing was offered, for people. */
  silence(document: vscode.TextDocument): string | undefined {
    return this.silences.get(document.uri.toString());
  }

  async explain(document: vscode.TextDocument): Promise<Explanation | null> {
    const client = this.client();
    if (!client) return null;
    const uri = client.code2ProtocolConverter.asUri(document.uri);
    return client.sendRequest(explain, { textDocument: { uri } });
  }

  forget(document: vscode.TextDocument): void {
    this.silences.delete(document.uri.toString());
    this.shown.delete(document.uri.toString());
  }

  dispose(): void {
    clearTimeout(this.waking);
    this.answered.dispose();
    this.woken.dispose();
  }

  private async noteSilence(document: vscode.TextDocument): Promise<void> {
    const explanation = await this.explain(document).catch(() => null);
    if (explanation) this.silences.set(document.uri.toString(), explanation.message);
    this.answered.fire(document);
  }
}
