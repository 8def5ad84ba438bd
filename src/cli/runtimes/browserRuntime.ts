/** Runtimes in a browser: a page in a headless browser executes the task, this process serves it and takes what it delivers. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "puppeteer";
import { EngineError } from "../../errors.ts";
import type { RunSink } from "../../experiments/contract.ts";
import { CHECKPOINT_FILE } from "../../experiments/contract.ts";
import { decodeRecord, type Message } from "../runner/protocol.ts";
import type { Task, TaskResults } from "../runner/task.ts";
import type { BrowserSession } from "./browserSession.ts";
import type { BrowserChoice } from "./findBrowser.ts";
import { type JobServer, startJobServer } from "./jobServer.ts";
import type { Runtime, RuntimeName } from "./runtime.ts";
import { taskRuntime } from "./taskRuntime.ts";

export interface BrowserRuntimeOptions {
  /** Browser to start instead of the one that would be found. */
  readonly browserPath?: string | undefined;
  /** Folder of the built runner page. */
  readonly pageRoot: string;
}

/** What is particular to one family of browsers. */
export interface BrowserKind {
  readonly name: RuntimeName;
  readonly choose: () => BrowserChoice;
  /** `blankUrl` is an empty page on which WebGPU can be looked at. `isMeasured`: as a user's browser would be started, for measurements. */
  readonly open: (choice: BrowserChoice, blankUrl: string, isMeasured: boolean) => Promise<BrowserSession>;
  /** Finds product and version in the user agent. */
  readonly productName: RegExp;
}

/** Time from opening the page to its asking for the task. */
const PAGE_START_MS = 60_000;

export function createBrowserRuntime(options: BrowserRuntimeOptions, kind: BrowserKind): Runtime {
  return taskRuntime(kind.name, async (task, sink, signal, dataPath, peersRoot) => {
    const choice = kind.choose();
    if (!existsSync(join(options.pageRoot, "index.html"))) {
      throw new EngineError({
        code: "CLI-NOT-BUILT",
        message: `The runner page is missing from ${options.pageRoot}`,
        fix: "Run `npm run build`.",
      });
    }
    const result = await runInPage({
      task,
      sink,
      signal,
      dataPath,
      peersRoot,
      choice,
      kind,
      pageRoot: options.pageRoot,
    });
    if (task.kind !== "info") return result;
    const info = result as TaskResults["info"];
    const name = kind.productName.exec(info.host)?.[0] ?? info.host;
    return { ...info, host: `${name}, ${choice.path}` };
  });
}

interface PageRun {
  readonly task: Task;
  readonly sink: RunSink;
  readonly signal: AbortSignal;
  readonly dataPath: string | undefined;
  readonly peersRoot: string | undefined;
  readonly choice: BrowserChoice;
  readonly kind: BrowserKind;
  readonly pageRoot: string;
}

async function runInPage(run: PageRun): Promise<unknown> {
  const outcome = deferred();
  // Whoever waits for it sees the rejection; an early end of this function must not leave it unhandled.
  outcome.promise.catch(() => {});
  let startTimer: NodeJS.Timeout | undefined;
  const refuse = async (work: () => void | Promise<void>) => {
    try {
      await work();
    } catch (error) {
      // The command's own failure (a full disk) is the one to report, not the page's complaint about being refused.
      outcome.reject(error);
      throw error;
    }
  };
  const server: JobServer = await startJobServer({
    pageRoot: run.pageRoot,
    task: run.task,
    dataPath: run.dataPath,
    peersRoot: run.peersRoot,
    onTaskFetched: () => clearTimeout(startTimer),
    onFile: (name, bytes) =>
      refuse(() => (name === CHECKPOINT_FILE ? run.sink.checkpoint(bytes) : run.sink.file(name, bytes))),
    onMessage: (message) => refuse(() => deliver(message, run, outcome, server.dataUrl)),
  });
  let session: BrowserSession | undefined;
  let onAbort = () => {};
  try {
    session = await run.kind.open(run.choice, server.blankUrl, run.task.kind === "bench");
    run.signal.throwIfAborted();
    const page = await session.browser.newPage();
    watch(session, page, outcome.reject);
    onAbort = () => void page.evaluate("globalThis.eigenstepAbort?.()").catch(() => {});
    run.signal.addEventListener("abort", onAbort);
    startTimer = setTimeout(() => outcome.reject(pageFailure("it did not start within 60 s")), PAGE_START_MS);
    await Promise.race([page.goto(server.url, { waitUntil: "domcontentloaded" }), outcome.promise]);
    // An abort during navigation found no page to tell.
    if (run.signal.aborted) onAbort();
    return await outcome.promise;
  } finally {
    clearTimeout(startTimer);
    run.signal.removeEventListener("abort", onAbort);
    await session?.close();
    await server.close();
  }
}

async function deliver(
  message: Message,
  { sink, dataPath }: PageRun,
  outcome: Deferred,
  dataUrl: string,
): Promise<void> {
  if (message.type === "phase") sink.phase(message.text);
  else if (message.type === "begin") await sink.begin(message.header);
  else if (message.type === "records") await sink.records(message.records.map(decodeRecord));
  else if (message.type === "result") outcome.resolve(message.result);
  else {
    // The page knows the data folder by an address; people know it by its path.
    const text = (value: string) => value.replaceAll(dataUrl, dataPath ?? "");
    const { message: what, fix } = message.error;
    outcome.reject(EngineError.fromJSON({ ...message.error, message: text(what), fix: text(fix) }));
  }
}

/** Turns every way in which a page can end without a result into an error. */
function watch(session: BrowserSession, page: Page, reject: (error: unknown) => void): void {
  page.on("pageerror", (error) =>
    reject(pageFailure(`it threw ${error instanceof Error ? error.message : String(error)}`)),
  );
  page.on("error", (error) => reject(pageFailure(`it crashed (${error.message})`)));
  page.on("close", () => reject(pageFailure("it was closed")));
  page.on("requestfailed", (request) => {
    if (isScript(request.url())) {
      reject(pageFailure(`${new URL(request.url()).pathname.split("/").at(-1)} could not be loaded`));
    }
  });
  page.on("response", (response) => {
    if (isScript(response.url()) && !response.ok()) {
      reject(pageFailure(`a script could not be loaded (status ${response.status()})`));
    }
  });
  session.browser.on("disconnected", () => reject(pageFailure("the browser ended")));
}

/** By its name: Firefox does not tell what kind of resource a request is for. */
function isScript(url: string): boolean {
  return new URL(url).pathname.endsWith(".js");
}

function pageFailure(what: string): EngineError {
  return new EngineError({
    code: "RUN-PAGE",
    message: `The runner page failed: ${what}`,
    fix: "Run the same command again; if it fails again, use --runtime node, and report it with the output of `eigenstep info`.",
  });
}

interface Deferred {
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Promise.withResolvers, which Node 20 does not have. */
function deferred(): Deferred {
  let resolve: (value: unknown) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<unknown>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
