// Makes lintseq-VERSION.vsix. LINTSEQ_WHEEL=FILE puts the server's wheel into it, for "Install the Server".
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { execFileSync } from "node:child_process";

rmSync("wheels", { recursive: true, force: true });
const wheel = process.env.LINTSEQ_WHEEL;
if (wheel) {
  mkdirSync("wheels");
  cpSync(wheel, join("wheels", basename(wheel)));
}
const run = (...command) => execFileSync(process.execPath, command, { stdio: "inherit" });
run("esbuild.mjs");
run(
  "node_modules/@vscode/vsce/vsce",
  "package",
  "--no-dependencies",
  "--allow-missing-repository",
  "--no-rewrite-relative-links",
);
