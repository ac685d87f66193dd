/** What the server understands beyond the LSP, and the types of what goes over the wire. */

import { NotificationType, ProgressType, RequestType } from "vscode-languageclient/node";
import type { Command, Position, Range, TextEdit } from "vscode-languageclient/node";
import type { Explanation } from "./reasons";

interface DocumentParams {
  textDocument: { uri: string; version?: number };
}

export interface InlineEdit {
  text: string;
  range: Range;
  textDocument: { uri: string; version: number };
  command: Command;
}

export interface EditAnswer {
  textDocument: { uri: string; version?: number };
  edits: TextEdit[];
  steps: number;
  reason: string;
  /** The reason, for people. */
  message: string;
}

export interface StepReport {
  step: number;
  edits: TextEdit[];
  /** Who checked it. */
  tier?: string;
}

export interface Status {
  busy: boolean;
  kind: "Normal" | "Warning" | "Error" | "Inactive";
  message: string;
}

export const statusChanged = new NotificationType<Status>("didChangeStatus");

export const explain = new RequestType<DocumentParams, Explanation | null, void>("lintseq/explain");

/** The last question that the model answered, as a case file; null when there is none. */
export const record = new RequestType<DocumentParams, { text: string } | null, void>("lintseq/record");

export const nextEdits = new RequestType<
  /** The kinds are those of ghost text: 1 when the user asks, 2 by itself. */
  DocumentParams & { position: Position; context: { triggerKind: 1 | 2 } },
  { edits: InlineEdit[] },
  void
>("textDocument/copilotInlineEdit");

export const showedNextEdit = new NotificationType<{ item: { command: Command } }>(
  "textDocument/didShowInlineEdit",
);

export const rejected = new NotificationType<{ item: { command: Command } }>("lintseq/didReject");

export const editByInstruction = new RequestType<
  DocumentParams & {
    instruction: string;
    range?: Range;
    partialResultToken: string;
    workDoneToken: string;
  },
  EditAnswer,
  void
>("lintseq/edit");

export const steps = new ProgressType<StepReport>();
