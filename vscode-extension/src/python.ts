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

/** Words for people, a program, its arguments. */
export type Step = [string, string, string[]];

/**
 * What makes the environment in `folder`: `first`, then `readyMade`, or `build` where that is empty or fails,
 * then `last`. Nothing is resolved. All but `readyMade` has checksums, and nothing is built but llama.cpp.
 */
export interface Installation {
  first: Step[];
  readyMade: Step[];
  build: Step[];
  last: Step[];
}

/** What fails where a ready-made llama.cpp is for another system: another C library, say. */
const LOADS = "import llama_cpp; llama_cpp.llama_backend_init()";

/** `pin` is llama.cpp's package with its version, `index` the index that may have its wheel; "" asks none. */
export function installation(
  python: string,
  folder: string,
  platform: NodeJS.Platform,
  { wheel, packages, llama }: Supplies,
  pin: string,
  index: string,
): Installation {
  const { interpreter } = inEnvironment(folder, platform);
  const pip = ["-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"];
  const pinned = [...pip, "--require-hashes"];
  const wheels = ["--only-binary", ":all:"];
  const compiled = [...pinned, "--force-reinstall", "--no-build-isolation", "-r", llama];
  return {
    first: [
      ["an environment of its own", python, ["-I", "-m", "venv", folder]],
      ["packages", interpreter, [...pinned, ...wheels, "-r", packages]],
    ],
    readyMade: index
      ? [
          ["llama.cpp, ready-made", interpreter, [...pip, ...wheels, "--index-url", index, pin]],
          ["llama.cpp is tried", interpreter, ["-I", "-c", LOADS]],
        ]
      : [],
    build: [["llama.cpp; to compile it takes minutes", interpreter, compiled]],
    last: [["the server", interpreter, [...pip, "--no-index", wheel]]],
  };
}

/** What CMake, and macOS's stand-in for a compiler, say where there is none. */
const NO_COMPILER =
  /CMAKE_C(XX)?_COMPILER not set|No CMAKE_C(XX)?_COMPILER|instance of Visual Studio|not able to compile a simple test program|xcode-select/;

/** What to install, for people, if a build failed with that output because there is no compiler. */
export function compilerWanted(output: string, platform: NodeJS.Platform): string | undefined {
  if (!NO_COMPILER.test(output)) return undefined;
  if (platform === "win32") return 'Build Tools for Visual Studio, with "Desktop development with C++"';
  if (platform === "darwin") return "Xcode's command line tools: xcode-select --install";
  return "a C and a C++ compiler (Debian, Ubuntu: sudo apt install build-essential; Fedora: sudo dnf install gcc-c++)";
}
