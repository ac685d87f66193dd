/** What a click on the status bar offers, and the commands behind it. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { findServer, selectedInterpreter, surroundingsOfPython } from "./discovery";
import type { GhostText } from "./ghostText";
import { modelsHere } from "./models";
import type { Others } from "./others";
import { record } from "./protocol";
import { report } from "./reasons";
import type { Server } from "./server";
import { SECTION, isEnabled, isServed, stepBackWanted, switchEnabled } from "./settings";
import { VirtualTexts, baseName } from "./virtual";

interface Entry extends vscode.QuickPickItem {
  run?: () => unknown;
}

export async function showMenu(server: Server, ghostText: GhostText, others: Others): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  const command = (label: string, id: string): Entry => ({
    label,
    run: () => vscode.commands.executeCommand(id),
  });
  const { life } = server;
  const path = life.kind === "missing" && life.path;
  const other = document && others.name(document);
  const entries: Entry[] = [
    ...(path ? [settings(`$(gear) The setting ${path}`, `${SECTION}.serverPath`)] : []),
    ...(life.kind === "missing"
      ? [
          command("$(cloud-download) Install the server", "lintseq.install"),
          command("$(folder) Choose the server…", "lintseq.chooseServer"),
        ]
      : []),
    ghostText.isSnoozed
      ? {
          label: "$(bell) Wake up",
          run: () => {
            ghostText.snooze(0);
          },
        }
      : command("$(bell-slash) Snooze…", "lintseq.snooze"),
    ...(document && isServed(document) ? switches(document) : []),
    ...(other ? [stepBack(other)] : []),
    command("$(question) Why nothing? Explain the last answer", "lintseq.explain"),
    command("$(record) Record the last answer as a case file", "lintseq.record"),
    command("$(file-binary) Choose the model…", "lintseq.chooseModel"),
    { label: "", kind: vscode.QuickPickItemKind.Separator },
    command("$(output) Open the log", "lintseq.openLog"),
    command("$(debug-restart) Restart the server", "lintseq.restart"),
    settings("$(gear) Settings", SECTION),
  ];
  const chosen = await vscode.window.showQuickPick(entries, { title: "LintSeq" });
  await chosen?.run?.();
}

function settings(label: string, query: string): Entry {
  return { label, run: () => vscode.commands.executeCommand("workbench.action.openSettings", query) };
}

/** Beside another extension that suggests at the cursor: only on request, or by itself as well. */
function stepBack(other: string): Entry {
  const back = stepBackWanted();
  return {
    label: back ? `$(list-ordered) Suggest beside ${other}` : `$(fold-down) Step back for ${other}`,
    description: back ? "by itself, too" : "suggest only on request",
    run: () => setGlobally("stepBack", !back),
  };
}

/** Off and on for the document's language and folder. */
function switches(document: vscode.TextDocument): Entry[] {
  const on = isEnabled(document);
  const [icon, word] = on ? ["circle-slash", "Off"] : ["check", "On"];
  const folder = vscode.workspace.getWorkspaceFolder(document.uri);
  const language: Entry = {
    label: `$(${icon}) ${word} for Python`,
    run: () => switchEnabled(undefined, !on),
  };
  if (!folder) return [language];
  return [
    language,
    { label: `$(${icon}) ${word} for the folder ${folder.name}`, run: () => switchEnabled(folder, !on) },
  ];
}

export async function snooze(ghostText: GhostText): Promise<void> {
  const times = [5, 15, 60, 240].map((minutes) => ({
    label: minutes < 60 ? `${minutes} minutes` : `${minutes / 60} ${minutes === 60 ? "hour" : "hours"}`,
    minutes,
  }));
  const chosen = await vscode.window.showQuickPick(times, { title: "LintSeq: snooze for" });
  if (chosen) ghostText.snooze(chosen.minutes);
}

export async function explainLast(ghostText: GhostText, texts: VirtualTexts): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (!document || !isServed(document)) return;
  const explanation = await ghostText.explain(document);
  const uri = texts.add("LintSeq.md", report(baseName(document), explanation));
  await vscode.window.showTextDocument(uri, {
    viewColumn: vscode.ViewColumn.Beside,
    preserveFocus: true,
    preview: true,
  });
}

/** What a report of a fault needs, in an untitled document. */
export async function recordLast(client: LanguageClient | undefined): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (!client || !document || !isServed(document)) return;
  const uri = client.code2ProtocolConverter.asUri(document.uri);
  const answer = await client.sendRequest(record, { textDocument: { uri } });
  if (!answer) {
    void vscode.window.showInformationMessage("LintSeq: there is no recent request for this file.");
    return;
  }
  const recorded = await vscode.workspace.openTextDocument({ language: "plaintext", content: answer.text });
  await vscode.window.showTextDocument(recorded, { viewColumn: vscode.ViewColumn.Beside });
  const text = "LintSeq: this contains the text of your file. It is not saved or sent unless you do so.";
  void vscode.window.showInformationMessage(text);
}

/** A model that is here, or a GGUF file. */
export async function chooseModel(context: vscode.ExtensionContext): Promise<void> {
  const start = await findServer(context, await selectedInterpreter());
  const answer =
    start &&
    (await promisify(execFile)(
      start.command,
      [...start.argv, "model", "list", "--json"],
      await surroundingsOfPython(context),
    ).catch(() => undefined));
  const installed = modelsHere(answer ? answer.stdout : "").map(({ name, description }) => ({
    label: name,
    description,
    model: name,
  }));
  const file = { label: "$(folder-opened) A GGUF file…", model: undefined };
  const entries = [{ label: "The model that ships", model: "" }, ...installed, file];
  const chosen = await vscode.window.showQuickPick(entries, { title: "LintSeq: the model" });
  if (!chosen) return;
  const model = chosen.model ?? (await chooseFile("Choose a model", { GGUF: ["gguf"] }));
  if (model !== undefined) await setGlobally("model", model);
}

export async function chooseServer(): Promise<void> {
  const path = await chooseFile("Choose lintseq-lsp");
  if (path !== undefined) await setGlobally("serverPath", path);
}

async function chooseFile(title: string, filters?: Record<string, string[]>): Promise<string | undefined> {
  const files = await vscode.window.showOpenDialog({ title, ...(filters ? { filters } : {}) });
  return files?.[0]?.fsPath;
}

async function setGlobally(name: string, value: string | boolean): Promise<void> {
  await vscode.workspace.getConfiguration(SECTION).update(name, value, vscode.ConfigurationTarget.Global);
}
