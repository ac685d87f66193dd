/** The server's process and the client that speaks to it: started, restarted in a queue, watched. */

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  TransportKind,
  type ExecutableOptions,
  type LanguageClientOptions,
  type Middleware,
} from "vscode-languageclient/node";
import { findServer, selectedInterpreter, surroundingsOfPython } from "./discovery";
import { statusChanged, type Status } from "./protocol";
import type { Start } from "./python";
import { BackOff, Queue, within } from "./restarts";
import { SELECTOR, logLevel, serverPath, serverSettings } from "./settings";

export type Life =
  | { kind: "starting" | "loading" | "ready" | "thinking" | "stopped" }
  | { kind: "missing"; path: string }
  | { kind: "waiting" | "crashed" }
  | { kind: "warning" | "inactive"; message: string };

/** Milliseconds until a server that does not answer `initialize` counts as crashed. */
const PATIENCE = 60_000;

/** The client library pops up every failed start; here the status bar and `Life` tell of it. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown, show?: boolean | "force"): void {
    super.error(message, data, show === "force" ? false : show);
  }
}

export class Server implements vscode.Disposable {
  life: Life = { kind: "stopped" };
  private client: LanguageClient | undefined;
  private loaded = false;
  private busy = false;
  private timer: NodeJS.Timeout | undefined;
  private interpreter: string | undefined;
  private readonly backOff = new BackOff();
  private readonly queue = new Queue(() => this.startAnew());
  private readonly changed = new vscode.EventEmitter<Life>();
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly middleware: Middleware,
  ) {}

  /** The client, as long as it can be asked. */
  get running(): LanguageClient | undefined {
    return this.client?.isRunning() ? this.client : undefined;
  }

  get isReady(): boolean {
    return this.life.kind === "ready" || this.life.kind === "thinking";
  }

  /** Starts the server, or starts it anew: because the user or a setting wants it. */
  restart(): Promise<void> {
    this.backOff.forget();
    return this.queue.request();
  }

  /** Another interpreter was selected: another server perhaps, or only other imports. */
  async interpreterChanged(): Promise<void> {
    const interpreter = await selectedInterpreter();
    if (interpreter !== this.interpreter) await this.restart();
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    const { client } = this;
    this.client = undefined;
    await client?.stop(2_000).catch((error: unknown) => {
      this.log.debug(`while stopping: ${String(error)}`);
    });
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.changed.dispose();
  }

  private async startAnew(): Promise<void> {
    await this.stop();
    this.tell({ kind: "starting" });
    this.interpreter = await selectedInterpreter();
    const start = await findServer(this.context, this.interpreter);
    if (!start) {
      this.log.warn(`there is no server${serverPath() ? ` ${serverPath()}` : ""}`);
      this.tell({ kind: "missing", path: serverPath() });
      return;
    }
    this.log.info(`starting ${[start.command, ...start.argv].join(" ")}`);
    const client = this.newClient(start, await surroundingsOfPython(this.context));
    this.client = client;
    this.loaded = this.busy = false;
    client.onNotification(statusChanged, (status) => {
      if (client === this.client) this.tell(this.lifeFrom(status));
    });
    try {
      await within(PATIENCE, client.start());
      if (this.life.kind === "starting") this.tell({ kind: "loading" });
    } catch (error) {
      this.log.error(`the server did not start: ${String(error)}`);
      void client.stop().catch(() => undefined); // which ends the process, but says that nothing runs
      this.ended(client);
    }
  }

  private newClient({ command, argv }: Start, around: ExecutableOptions): LanguageClient {
    const options: LanguageClientOptions = {
      documentSelector: SELECTOR,
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: {
        ...serverSettings(this.interpreter),
        trusted: vscode.workspace.isTrusted,
        didChangeStatus: true,
        editorInfo: { name: vscode.env.appName, version: vscode.version },
      },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.ended(client);
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      middleware: {
        ...this.middleware,
        workspace: {
          configuration: (params) => params.items.map(() => serverSettings(this.interpreter)),
          didChangeConfiguration: async () =>
            client.sendNotification("workspace/didChangeConfiguration", {
              settings: { lintseq: serverSettings(this.interpreter) },
            }),
        },
      },
    };
    const args = [...argv, "--log-level", logLevel()];
    // `ended` belongs to this client, which therefore has a name here.
    const client: LanguageClient = new QuietClient(
      "lintseq",
      "LintSeq",
      { command, args, transport: TransportKind.stdio, options: around },
      options,
    );
    return client;
  }

  /** The server's process ended, or never was one, without anybody having asked for it. */
  private ended(client: LanguageClient): void {
    if (client !== this.client) return;
    this.client = undefined;
    const wait = this.backOff.crashed();
    if (wait === undefined) {
      this.tell({ kind: "crashed" });
      return;
    }
    this.log.warn(`the server ended; it is restarted in ${wait} ms`);
    this.tell({ kind: "waiting" });
    this.timer = setTimeout(() => void this.queue.request(), wait);
  }

  private lifeFrom(status: Status): Life {
    if (status.kind === "Inactive") return { kind: "inactive", message: status.message };
    if (status.kind !== "Normal") return { kind: "warning", message: status.message };
    // The first thing that it is busy with is the model.
    if (this.busy && !status.busy) this.loaded = true;
    this.busy = status.busy;
    if (!this.loaded) return { kind: "loading" };
    return { kind: status.busy ? "thinking" : "ready" };
  }

  private tell(life: Life): void {
    this.life = life;
    this.changed.fire(life);
  }
}
