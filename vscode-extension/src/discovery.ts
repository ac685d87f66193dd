/** Finds the server's program: the setting, the selected interpreter's environment, our own, the PATH. */

import { access, constants, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import * as vscode from "vscode";
import { besideInterpreter, named, onPath, type Surroundings } from "./places";
import { byCommand, byInterpreter, withoutPython, type Start } from "./python";
import { within } from "./restarts";
import { serverPath } from "./settings";

/** Milliseconds that another extension may keep the server waiting. */
const PATIENCE = 10_000;

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
    resolveEnvironment(path: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

function surroundings(): Surroundings {
  return {
    platform: process.platform,
    home: homedir(),
    path: process.env.PATH ?? "",
    folder: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath,
  };
}

export function managedFolder(context: vscode.ExtensionContext): string {
  return vscode.Uri.joinPath(context.globalStorageUri, "environment").fsPath;
}

/** Where and with what environment programs of Python's are started: never in the workspace's folder. */
export async function surroundingsOfPython(
  context: vscode.ExtensionContext,
): Promise<{ cwd: string; env: NodeJS.ProcessEnv }> {
  const cwd = context.globalStorageUri.fsPath;
  await mkdir(cwd, { recursive: true });
  return { cwd, env: withoutPython(process.env) };
}

/** What to start; undefined when there is none, also where the setting says that there is one. */
export async function findServer(
  context: vscode.ExtensionContext,
  interpreter: string | undefined,
): Promise<Start | undefined> {
  const around = surroundings();
  const chosen = serverPath();
  const beside = interpreter ? [besideInterpreter(interpreter, around.platform)] : [];
  const candidates = chosen
    ? named(chosen, around).map(byCommand)
    : [
        ...beside.map(byCommand),
        byInterpreter(managedFolder(context), around.platform),
        ...onPath(around).map(byCommand),
      ];
  for (const candidate of candidates) if (await isProgram(candidate.program)) return candidate;
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * The interpreter that is selected in the Python extension. None in a workspace that is not trusted, nor
 * when that extension fails or is slow: the server does without.
 */
export async function selectedInterpreter(): Promise<string | undefined> {
  if (!vscode.workspace.isTrusted) return undefined;
  return within(PATIENCE, askInterpreter()).catch(() => undefined);
}

async function askInterpreter(): Promise<string | undefined> {
  const environments = (await pythonApi())?.environments;
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const chosen = environments?.getActiveEnvironmentPath(folder);
  const environment = chosen && (await environments?.resolveEnvironment(chosen));
  return environment?.executable.uri?.fsPath;
}

/** Calls `listener` when another interpreter is selected. */
export async function onInterpreter(listener: () => void): Promise<vscode.Disposable | undefined> {
  const python = await pythonApi().catch(() => undefined);
  return python?.environments.onDidChangeActiveEnvironmentPath(listener);
}

async function pythonApi(): Promise<PythonApi | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
  return extension && (await extension.activate());
}
