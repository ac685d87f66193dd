/** The status bar's item: what LintSeq does, or why it is silent. */

import * as vscode from "vscode";
import type { GhostText } from "./ghostText";
import type { NextEdits } from "./nextEdit";
import type { Others } from "./others";
import type { Server } from "./server";
import { isEnabled, isServed, stepBackWanted } from "./settings";

interface Shown {
  icon: string;
  text: string;
  tooltip: string;
  alarm?: boolean;
}

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    "lintseq.status",
    vscode.StatusBarAlignment.Right,
    100,
  );
  private readonly listeners: vscode.Disposable[];

  constructor(
    private readonly server: Server,
    private readonly ghostText: GhostText,
    private readonly nextEdits: NextEdits,
    private readonly others: Others,
  ) {
    this.item.name = "LintSeq";
    this.item.command = "lintseq.menu";
    const update = (): void => {
      this.update();
    };
    this.listeners = [
      server.onDidChange(update),
      ghostText.onAnswer(update),
      ghostText.onSnooze(update),
      nextEdits.onDidChange(update),
      others.onDidChange(update),
      vscode.window.onDidChangeActiveTextEditor(update),
      vscode.workspace.onDidChangeConfiguration(update),
    ];
    this.update();
  }

  dispose(): void {
    for (const listener of this.listeners) listener.dispose();
    this.item.dispose();
  }

  private update(): void {
    const document = vscode.window.activeTextEditor?.document;
    const { icon, text, tooltip, alarm } = this.shown(document);
    this.item.text = `$(${icon}) LintSeq${text ? `: ${text}` : ""}`;
    this.item.tooltip = `LintSeq: ${tooltip}`;
    this.item.backgroundColor = alarm ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    if (document && isServed(document)) this.item.show();
    else if (alarm) this.item.show();
    else this.item.hide();
  }

  private shown(document: vscode.TextDocument | undefined): Shown {
    const { life } = this.server;
    switch (life.kind) {
      case "starting":
        return { icon: "loading~spin", text: "starting", tooltip: "the server is starting" };
      case "missing":
        return {
          icon: "warning",
          text: "no server",
          tooltip: life.path ? `there is no program ${life.path}` : "click to install the server",
          alarm: true,
        };
      case "waiting":
        return {
          icon: "loading~spin",
          text: "restarting",
          tooltip: "the server ended and is being restarted",
        };
      case "crashed":
        return { icon: "warning", text: "stopped", tooltip: "the server crashed too often", alarm: true };
      case "stopped":
        return { icon: "circle-slash", text: "stopped", tooltip: "the server is not running" };
      case "warning":
        return { icon: "warning", text: "no model", tooltip: life.message, alarm: true };
      case "inactive":
        return { icon: "circle-slash", text: "off", tooltip: life.message };
      default:
        return this.shownOfDocument(life.kind, document);
    }
  }

  private shownOfDocument(
    kind: "loading" | "ready" | "thinking",
    document: vscode.TextDocument | undefined,
  ): Shown {
    if (document && !isEnabled(document))
      return { icon: "circle-slash", text: "off", tooltip: "switched off here" };
    if (this.ghostText.isSnoozed) return { icon: "bell-slash", text: "snoozed", tooltip: "snoozed" };
    if (kind === "loading")
      return { icon: "loading~spin", text: "loading", tooltip: "the model is being loaded" };
    if (kind === "thinking") return { icon: "loading~spin", text: "", tooltip: "thinking" };
    const line = this.nextEdits.shownLine;
    if (line !== undefined)
      return { icon: "arrow-right", text: `Tab: line ${line}`, tooltip: `the next edit is in line ${line}` };
    const silence = document && this.ghostText.silence(document);
    const tooltip = silence === undefined ? "ready" : `silent: ${silence}`;
    const icon = silence === undefined ? "check" : "dash";
    const other = document && this.others.name(document);
    if (!other) return { icon, text: "", tooltip };
    if (stepBackWanted())
      return { icon, text: "on request", tooltip: `${tooltip} (only on request, because of ${other})` };
    const text = this.others.isNews(other) ? `beside ${other}` : "";
    return { icon, text, tooltip: `${tooltip} (${other} is active, too; the menu lets LintSeq step back)` };
  }
}
