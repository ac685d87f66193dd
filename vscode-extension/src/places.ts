/** Where the server's program may be. Knows no editor. */

import { delimiter, dirname, isAbsolute, join } from "node:path";

export interface Surroundings {
  platform: NodeJS.Platform;
  home: string;
  path: string;
  folder: string | undefined;
}

const PROGRAM = "lintseq-lsp";

function programName(platform: NodeJS.Platform, name = PROGRAM): string {
  return platform === "win32" && !name.endsWith(".exe") ? `${name}.exe` : name;
}

/** Where the program may be that the user named: one without a folder is looked for on the PATH alone. */
export function named(path: string, around: Surroundings): string[] {
  const result = expanded(path, around);
  return /[\\/]/.test(result) ? [result] : onPath(around, result);
}

/** What the user wrote, with `~` and `${workspaceFolder}` in their place; relative to the folder. */
export function expanded(path: string, around: Surroundings): string {
  const folder = around.folder ?? "";
  const result = path.replace(/^~(?=$|[\\/])/, around.home).replaceAll("${workspaceFolder}", folder);
  return isAbsolute(result) || !folder || !/[\\/]/.test(result) ? result : join(folder, result);
}

/** The program of the environment whose interpreter is given. */
export function besideInterpreter(interpreter: string, platform: NodeJS.Platform): string {
  return join(dirname(interpreter), programName(platform));
}

/** The program and the interpreter of the virtual environment in `folder`. */
export function inEnvironment(
  folder: string,
  platform: NodeJS.Platform,
): { program: string; interpreter: string } {
  const scripts = join(folder, platform === "win32" ? "Scripts" : "bin");
  const interpreter = join(scripts, platform === "win32" ? "python.exe" : "python");
  return { program: join(scripts, programName(platform)), interpreter };
}

/** Where the shell would look. */
export function onPath(around: Surroundings, name = PROGRAM): string[] {
  return around.path
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, programName(around.platform, name)));
}
