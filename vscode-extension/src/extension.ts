/** Puts the parts together. */

import * as vscode from "vscode";
import { onInterpreter, selectedInterpreter } from "./discovery";
import { GhostText } from "./ghostText";
import { install } from "./install";
import { InstructionEdits } from "./instruction";
import { chooseModel, chooseServer, explainLast, recordLast, showMenu, snooze } from "./menu";
import { NextEdits } from "./nextEdit";
import { Others } from "./others";
import { Server } from "./server";
import { needsRestart } from "./settings";
import { StatusItem } from "./status";
import { SCHEME, VirtualTexts } from "./virtual";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("LintSeq", { log: true });
  const texts = new VirtualTexts();
  const client = (): Server["running"] => server?.running;
  const others = new Others(context.globalState);
  const ghostText = new GhostText(client, others);
  const running = (server = new Server(context, log, ghostText.middleware));
  const nextEdits = new NextEdits(context, client, ghostText, texts);
  const instructions = new InstructionEdits(context, client, ghostText, texts);

  const commands: Record<string, () => unknown> = {
    "lintseq.editByInstruction": () => instructions.run(),
    "lintseq.nextEdit": () => nextEdits.ask(),
    "lintseq.nextEdit.goOrAccept": () => nextEdits.goOrAccept(),
    "lintseq.nextEdit.reject": () => {
      nextEdits.reject();
    },
    "lintseq.nextEdit.preview": () => nextEdits.preview(),
    "lintseq.menu": () => {
      others.seen();
      return showMenu(running, ghostText, others);
    },
    "lintseq.explain": () => explainLast(ghostText, texts),
    "lintseq.record": () => recordLast(client()),
    "lintseq.snooze": () => snooze(ghostText),
    "lintseq.restart": () => running.restart(),
    "lintseq.chooseModel": () => chooseModel(context),
    "lintseq.chooseServer": chooseServer,
    "lintseq.install": async () => {
      if (await install(context, log, await selectedInterpreter())) await running.restart();
    },
    "lintseq.openLog": () => {
      log.show();
    },
  };
  context.subscriptions.push(
    log,
    texts,
    others,
    ghostText,
    running,
    nextEdits,
    new StatusItem(running, ghostText, nextEdits, others),
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, texts),
    running.onDidChange((life) => {
      void vscode.commands.executeCommand("setContext", "lintseq.ready", running.isReady);
      if (!running.isReady) nextEdits.clear(); // the server that it is from is gone, or going
      if (life.kind === "crashed") void tellCrashed(running);
    }),
    ghostText.onSnooze(() => {
      nextEdits.clear();
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (needsRestart(event)) void running.restart();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void running.restart()),
    ...Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run)),
  );
  // Not waited for: until activation ends, no command of ours runs.
  void running.restart();
  void onInterpreter(() => void running.interpreterChanged()).then((listener) => {
    if (listener) context.subscriptions.push(listener);
  });
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

async function tellCrashed(running: Server): Promise<void> {
  const text = "LintSeq: the server crashed several times and is not started again.";
  const answer = await vscode.window.showErrorMessage(text, "Restart", "Open Log");
  if (answer === "Restart") await running.restart();
  if (answer === "Open Log") await vscode.commands.executeCommand("lintseq.openLog");
}
