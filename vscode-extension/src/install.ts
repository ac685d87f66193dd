/** The environment of our own: made when the user asks for it, from the wheel that came with the extension. */

import { execFile, spawn } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { managedFolder, surroundingsOfPython } from "./discovery";
import { installation } from "./python";

type Around = Awaited<ReturnType<typeof surroundingsOfPython>>;

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
      "LintSeq: this build of the extension does not include the server. Install lintseq-lsp with pip, then choose it.",
    );
    return false;
  }
  const around = await surroundingsOfPython(context);
  const python = await findPython(interpreter, around);
  if (!python) {
    void vscode.window.showErrorMessage("LintSeq: the server needs Python 3.11 or newer with venv and pip.");
    return false;
  }
  const folder = managedFolder(context);
  const steps = installation(python, folder, process.platform, {
    wheel,
    packages: context.asAbsolutePath("requirements/packages.txt"),
    llama: context.asAbsolutePath("requirements/llama-cpp.txt"),
  });
  return vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: "Installing the LintSeq server",
      cancellable: true,
    },
    async (progress, token) => {
      await rm(folder, { recursive: true, force: true });
      for (const [message, command, argv] of steps) {
        progress.report({ message });
        if (
          await run(command, argv, around, log, token, (line) => {
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

async function findPython(interpreter: string | undefined, around: Around): Promise<string | undefined> {
  const named = process.platform === "win32" ? ["py", "python"] : ["python3", "python"];
  for (const command of [interpreter, ...named]) {
    if (!command) continue;
    const answer = await promisify(execFile)(command, ["-I", "-c", CHECK], around).catch(() => undefined);
    const path = answer?.stdout.trim();
    if (path) return path;
  }
  return undefined;
}

/** Whether the command ended well. Its output goes into the log; cancelling kills it. */
function run(
  command: string,
  argv: string[],
  around: Around,
  log: vscode.LogOutputChannel,
  token: vscode.CancellationToken,
  onLine: (line: string) => void,
): Promise<boolean> {
  log.info([command, ...argv].join(" "));
  return new Promise((resolve) => {
    const isGroup = process.platform !== "win32";
    const child = spawn(command, argv, {
      ...around,
      stdio: ["ignore", "pipe", "pipe"],
      detached: isGroup,
    });
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
