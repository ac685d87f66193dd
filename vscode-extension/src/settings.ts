/** The settings as the server wants them, and where they count. */

import * as vscode from "vscode";
import { contributes } from "../package.json";

export const SECTION = "lintseq";

/** Settings that the server would not know. */
const OWN = new Set(["serverPath", "logLevel", "stepBack", "llamaIndex"]);

const SERVER_SETTINGS = contributes.configuration
  .flatMap((group) => Object.keys(group.properties))
  .map((name) => name.slice(SECTION.length + 1))
  .filter((name) => !OWN.has(name));

/**
 * All of the server's settings. Without a `python` of the user's own, the selected interpreter counts. The
 * server is off where nothing is wanted in any folder; in each document, `isEnabled` decides.
 */
export function serverSettings(interpreter: string | undefined): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const read = Object.fromEntries(SERVER_SETTINGS.map((name) => [name, configuration.get(name)]));
  const folders = vscode.workspace.workspaceFolders ?? [];
  const places = [{ languageId: "python" }, ...folders.map(({ uri }) => ({ uri, languageId: "python" }))];
  const enabled = places.some(isOn);
  const values = { ...read, enabled };
  return read.python || !interpreter ? values : { ...values, python: interpreter };
}

export function serverPath(): string {
  return vscode.workspace.getConfiguration(SECTION).get("serverPath", "").trim();
}

/** The index that may have a ready-made llama.cpp; empty for none. */
export function llamaIndex(): string {
  return vscode.workspace.getConfiguration(SECTION).get("llamaIndex", "").trim();
}

export function logLevel(): string {
  return vscode.workspace.getConfiguration(SECTION).get("logLevel", "warning");
}

export function nextEditWanted(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get("nextEdit", true);
}

export function stepBackWanted(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get("stepBack", false);
}

const SCHEMES = new Set(["file", "untitled", "vscode-notebook-cell"]);

export const SELECTOR = [...SCHEMES].map((scheme) => ({ language: "python", scheme }));

/** Whether the server knows documents of this kind at all. */
export function isServed(document: vscode.TextDocument): boolean {
  return document.languageId === "python" && SCHEMES.has(document.uri.scheme);
}

/** Whether the user wants suggestions in this document, its folder and its language. */
export function isEnabled(document: vscode.TextDocument): boolean {
  return isOn(document);
}

function isOn(scope: vscode.ConfigurationScope): boolean {
  return vscode.workspace.getConfiguration(SECTION, scope).get("enabled", true);
}

/** What counts when the server is started. */
const AT_START = ["serverPath", "logLevel", "endpoint"];

/** Whether the setting asks for something else than before the event. */
export function needsRestart(event: vscode.ConfigurationChangeEvent): boolean {
  return AT_START.some((name) => event.affectsConfiguration(`${SECTION}.${name}`));
}

/** Switches suggestions off or on for Python, in that folder or everywhere. */
export async function switchEnabled(folder: vscode.WorkspaceFolder | undefined, on: boolean): Promise<void> {
  const scope = { languageId: "python", ...(folder ? { uri: folder.uri } : {}) };
  const target = folder ? vscode.ConfigurationTarget.WorkspaceFolder : vscode.ConfigurationTarget.Global;
  // What is set for a language wins over what is not, wherever that is: both are set for the language.
  const set = async (value: boolean | undefined): Promise<void> =>
    vscode.workspace.getConfiguration(SECTION, scope).update("enabled", value, target, true);
  await set(on ? undefined : false);
  if (on && !isOn(scope)) await set(true);
}
