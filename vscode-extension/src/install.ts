/** The environment of our own: made when the user asks for it, from the wheel that came with the extension. */

import { execFile, spawn } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { managedFolder } from "./discovery";
import { inEnvironment } from "./places";

/** Isolated, so that nothing of the folder that VS Code was started in is imported. */
const CHECK = "import sys, venv, ensurepip; print(sys.executable if sys.version_info >= (3, 11) else '')";

/** Whether the environment is there now. The first use of a compiler may take minutes. */
export async function install(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  interpreter: string | undefined,
): Promise<boolean> {
  const wheel = await bundledWheel(context);
  if (!wheel) {
    void vscode.window.showErrorMessage(
      "LintSeq: this build of the extension has no server in it. Install lintseq-lsp with pip, and choose it.",
    );
    return false;
  }
  const python = await findPython(interpreter);
  if (!python) {
    void vscode.window.showErrorMessage("LintSeq: the server needs Python 3.11 or newer with venv and pip.");
    return false;
  }
  const folder = managedFolder(context);
  const { interpreter: own } = inEnvironment(folder, process.platform);
  const steps: [string, string, string[]][] = [
    ["an environment of its own", python, ["-I", "-m", "venv", folder]],
    [
      "packages; to compile llama.cpp takes minutes",
      own,
      ["-I", "-m", "pip", "install", "--disable-pip-version-check", wheel],
    ],
  ];
  return vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: "Installing the LintSeq server",
      cancellable: true,
    },
    async (progress, token) => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(dirname(folder), { recursive: true });
      for (const [message, command, argv] of steps) {
        progress.report({ message });
        if (
          await run(command, argv, log, token, (line) => {
            progress.report({ message: line });
          })
        )
          continue;
        await rm(folder, { recursive: true, force: true });
        if (!token.isCancellationRequested) void tellFailure(log); // the progress does not wait for it
        return false;
      }
      return true;
    },
  );
}

async function tellFailure(log: vscode.LogOutputChannel): Promise<void> {
  const open = "Open Log";
  const answer = await vscode.window.showErrorMessage("LintSeq: the server could not be installed.", open);
  if (answer === open) log.show();
}

async function bundledWheel(context: vscode.ExtensionContext): Promise<string | undefined> {
  const folder = context.asAbsolutePath("wheels");
  const names = await readdir(folder).catch(() => []);
  const name = names.find((entry) => entry.endsWith(".whl"));
  return name && vscode.Uri.joinPath(vscode.Uri.file(folder), name).fsPath;
}

async function findPython(interpreter: string | undefined): Promise<string | undefined> {
  const named = process.platform === "win32" ? ["py", "python"] : ["python3", "python"];
  for (const command of [interpreter, ...named]) {
    if (!command) continue;
    const answer = await promisify(execFile)(command, ["-I", "-c", CHECK]).catch(() => undefined);
    const path = answer?.stdout.trim();
    if (path) return path;
  }
  return undefined;
}

/** Whether the command ended well. Its output goes into the log; cancelling kills it. */
function run(
  command: string,
  argv: string[],
  log: vscode.LogOutputChannel,
  token: vscode.CancellationToken,
  onLine: (line: string) => void,
): Promise<boolean> {
  log.info([command, ...argv].join(" "));
  return new Promise((resolve) => {
    const isGroup = process.platform !== "win32";
    const child = spawn(command, argv, { stdio: ["ignore", "pipe", "pipe"], detached: isGroup });
    const listener = token.onCancellationRequested(() => {
      // The compilers that pip has started end with it.
      if (isGroup && child.pid !== undefined) process.kill(-child.pid);
      else child.kill();
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data: Buffer) => {
        for (const line of data.toString().split(/\r?\n/).filter(Boolean)) {
          log.info(line);
          onLine(line.slice(0, 80));
        }
      });
    const end = (well: boolean): void => {
      listener.dispose();
      resolve(well);
    };
    child.on("error", (error) => {
      log.error(error);
      end(false);
    });
    child.on("close", (code) => {
      end(code === 0);
    });
  });
}
