// Bundles the extension into dist/, or, with --tests, the unit tests into .test/.
import { readdirSync } from "node:fs";
import { build } from "esbuild";

const tests = process.argv.includes("--tests");
const entries = tests ? readdirSync("test").map((name) => `test/${name}`) : ["src/extension.ts"];

await build({
  entryPoints: entries,
  outdir: tests ? ".test" : "dist",
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  minify: !tests,
  sourcemap: tests ? "inline" : false,
  logLevel: "warning",
});
