/** The environment of our own: made when the user asks for it, from the wheel that came with the extension. */

import { execFile, spawn } from "node:child_process";
import { readFile, readdir, rm } from "node:fs/promises";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { managedFolder, surroundingsOfPython } from "./discovery";
import { compilerWanted, installation, type Step } from "./python";
import { llamaIndex } from "./settings";

type Around = Awaited<ReturnType<typeof surroundingsOfPython>>;

const CHECK = "import sys, venv, ensurepip; print(sys.executable if sys.version_info >= (3, 11) else '')";

/** Whether the environment is there now. Where llama.cpp has to be compiled, it takes minutes. */
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
  const index = await chooseIndex();
  if (index === undefined) return false;
  const folder = managedFolder(context);
  const llama = context.asAbsolutePath("requirements/llama-cpp.txt");
  const [pin = ""] = (await readFile(llama, "utf-8")).split(" ", 1);
  const supplies = { wheel, packages: context.asAbsolutePath("requirements/packages.txt"), llama };
  const { first, readyMade, build, last } = installation(
    python,
    folder,
    process.platform,
    supplies,
    pin,
    index,
  );
  return vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: "Installing the LintSeq server",
      cancellable: true,
    },
    async (progress, token) => {
      let output = ""; // of the last command
      const all = async (steps: Step[]): Promise<boolean> => {
        for (const [message, command, argv] of steps) {
          if (token.isCancellationRequested) return false;
          progress.report({ message });
          output = "";
          const isWell = await run(command, argv, around, log, token, (line) => {
            progress.report({ message: line.slice(0, 80) });
            output += `${line}\n`;
          });
          if (!isWell) return false;
        }
        return true;
      };
      const llamaThere = async (): Promise<boolean> => {
        if (index && (await all(readyMade))) return true;
        if (index && !token.isCancellationRequested)
          log.warn(`no llama.cpp for this system from ${index}: it is built here`);
        return all(build);
      };
      await rm(folder, { recursive: true, force: true });
      if ((await all(first)) && (await llamaThere()) && (await all(last))) return true;
      await rm(folder, { recursive: true, force: true });
      if (!token.isCancellationRequested) void tellFailure(log, output, index); // the progress does not wait for it
      return false;
    },
  );
}

/**
 * The index to ask for a ready-made llama.cpp; "" to build it, undefined when the user wants neither. The
 * user decides, since there are no checksums of what the index has.
 */
async function chooseIndex(): Promise<string | undefined> {
  const index = llamaIndex();
  if (!index) return "";
  const entries = [
    {
      label: "$(cloud-download) Take a ready-made llama.cpp",
      description: "or build it, where there is none for this system",
      detail: `No compiler needed. Fixed version, no checksum, from ${index}`,
      index,
    },
    {
      label: "$(tools) Build llama.cpp here",
      description: "from the sources on PyPI",
      detail: "Takes minutes and a C++ compiler. Fixed version, fixed checksum",
      index: "",
    },
  ];
  const title = "LintSeq: llama.cpp runs the model. All else is ready-made and has checksums";
  return (await vscode.window.showQuickPick(entries, { title }))?.index;
}

async function tellFailure(log: vscode.LogOutputChannel, output: string, index: string): Promise<void> {
  const [again, open] = ["Try Again", "Open Log"];
  const compiler = compilerWanted(output, process.platform);
  const reason = index
    ? "there is none ready-made for this system, or its index cannot be reached"
    : "as chosen";
  const text = compiler
    ? `LintSeq: llama.cpp has to be compiled (${reason}). For that, install ${compiler}.`
    : "LintSeq: the server could not be installed.";
  const answer = await vscode.window.showErrorMessage(text, again, open);
  if (answer === again) await vscode.commands.executeCommand("lintseq.install");
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
          onLine(line);
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
