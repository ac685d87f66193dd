/** Finds the server's program: the setting, the selected interpreter's environment, our own, the PATH. */

import { access, constants } from "node:fs/promises";
import { homedir } from "node:os";
import * as vscode from "vscode";
import { besideInterpreter, expanded, inEnvironment, onPath, type Surroundings } from "./places";
import { serverPath } from "./settings";

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
    resolveEnvironment(path: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

export function surroundings(): Surroundings {
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

/** The program to start; undefined when there is none. */
export async function findServer(
  context: vscode.ExtensionContext,
  interpreter: string | undefined,
): Promise<string | undefined> {
  const around = surroundings();
  const chosen = serverPath();
  if (chosen) return expanded(chosen, around);
  const candidates = [
    ...(interpreter ? [besideInterpreter(interpreter, around.platform)] : []),
    inEnvironment(managedFolder(context), around.platform).program,
    ...onPath(around),
  ];
  for (const candidate of candidates) if (await isProgram(candidate)) return candidate;
  return undefined;
}

export async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The interpreter that is selected in the Python extension; none in a workspace that is not trusted. */
export async function selectedInterpreter(): Promise<string | undefined> {
  const python = vscode.workspace.isTrusted ? await pythonApi() : undefined;
  if (!python) return undefined;
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const environment = await python.environments.resolveEnvironment(
    python.environments.getActiveEnvironmentPath(folder),
  );
  return environment?.executable.uri?.fsPath;
}

/** Calls `listener` when another interpreter is selected. */
export async function onInterpreter(listener: () => void): Promise<vscode.Disposable | undefined> {
  return (await pythonApi())?.environments.onDidChangeActiveEnvironmentPath(listener);
}

async function pythonApi(): Promise<PythonApi | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
  return extension && (await extension.activate());
}
