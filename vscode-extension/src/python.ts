/** How programs of Python's are started: nothing of the workspace is imported. Knows no editor. */

import { inEnvironment } from "./places";

/** Isolated: no variables, no current folder. */
const SERVER = ["-I", "-m", "lintseq_lsp"];

/** A program that must be there, and what is started then. */
export interface Start {
  program: string;
  command: string;
  argv: string[];
}

/** The command as it was installed. It cannot be isolated but by `withoutPython` and by where it is started. */
export function byCommand(program: string): Start {
  return { program, command: program, argv: [] };
}

/** The server of the environment that the extension made. */
export function byInterpreter(folder: string, platform: NodeJS.Platform): Start {
  const { program, interpreter } = inEnvironment(folder, platform);
  return { program, command: interpreter, argv: [...SERVER] };
}

/**
 * The environment, with Python's variables undefined: an empty or relative entry of PYTHONPATH is a folder
 * from which Python runs `sitecustomize.py` before anything else.
 */
export function withoutPython(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, /^python/i.test(name) ? undefined : value]),
  );
}

/** What came with the extension: the server's wheel, and the lists of what it needs, with checksums. */
export interface Supplies {
  wheel: string;
  packages: string;
  llama: string;
}

/**
 * What makes the environment in `folder`: words for people, a program, its arguments. Nothing is resolved,
 * and nothing is built but llama.cpp, of which there are only sources, with tools from the first list.
 */
export function installation(
  python: string,
  folder: string,
  platform: NodeJS.Platform,
  { wheel, packages, llama }: Supplies,
): [string, string, string[]][] {
  const { interpreter } = inEnvironment(folder, platform);
  const pip = ["-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"];
  const pinned = [...pip, "--require-hashes"];
  return [
    ["an environment of its own", python, ["-I", "-m", "venv", folder]],
    ["packages", interpreter, [...pinned, "--only-binary", ":all:", "-r", packages]],
    ["llama.cpp; to compile it takes minutes", interpreter, [...pinned, "--no-build-isolation", "-r", llama]],
    ["the server", interpreter, [...pip, "--no-index", wheel]],
  ];
}
