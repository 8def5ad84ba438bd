/** The runner page: asks the command for its task, executes it on the browser's WebGPU, and posts everything back. */
import { httpFolder } from "../../data/httpFiles.ts";
import { Engine } from "../../device/engine.ts";
import { GpuCalls } from "../bench/gpuCalls.ts";
import type { OpenPeers, Peer } from "../bench/peerContract.ts";
import { Outbox } from "./outbox.ts";
import { decodeTask, encodeError } from "./protocol.ts";
import { executeTask } from "./task.ts";

declare global {
  /** Called by the command to end the run early. */
  var eigenstepAbort: (() => void) | undefined;
}

// The page lies at <origin>/<token>/runner/, so that every request carries the token.
const base = new URL("..", location.href);
const abort = new AbortController();
globalThis.eigenstepAbort = () => abort.abort();

async function post(path: string, body: string | Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await fetch(new URL(path, base), { method: "POST", body });
  if (!response.ok) throw new Error(`the command refused ${path} with status ${response.status}`);
}

/** Modules of bench/peers, bundled by the command, in the order in which they are measured. */
async function openPeers(): Promise<readonly Peer[]> {
  const modules = (await (await fetch(new URL("peers/index.json", base))).json()) as readonly string[];
  const peers: Peer[] = [];
  for (const name of modules) {
    const module = (await import(/* @vite-ignore */ new URL(`peers/${name}.js`, base).href)) as {
      openPeers: OpenPeers;
    };
    peers.push(...(await module.openPeers()));
  }
  return peers;
}

async function run(outbox: Outbox): Promise<void> {
  let engine: Engine | undefined;
  try {
    const response = await fetch(new URL("task", base));
    const task = await decodeTask(await response.json(), async () => {
      const response = await fetch(new URL("attachment", base));
      if (!response.ok) throw new Error(`the command refused its attachment with status ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    });
    // Before any engine starts: what is counted from the prototypes on is everybody's.
    const gpuCalls = task.kind === "bench" ? GpuCalls.install() : undefined;
    engine = await Engine.request();
    const result = await executeTask(engine, task, {
      sink: outbox,
      signal: abort.signal,
      host: navigator.userAgent,
      openPeers,
      gpuCalls,
      data: "hasData" in task && task.hasData ? httpFolder(new URL("data", base).href) : undefined,
    });
    await outbox.close({ type: "result", result });
  } catch (error) {
    await outbox.close({ type: "error", error: encodeError(error) });
  } finally {
    engine?.destroy();
  }
}

// Not awaited at the top level: the command must find `eigenstepAbort` as soon as the document is loaded. `run` reports its own failures;
// what it cannot report (the command is gone) surfaces as an unhandled rejection, which the command watches for.
void run(new Outbox(post));
