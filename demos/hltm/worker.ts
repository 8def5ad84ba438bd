/** Entry of the worker: wires the host of a run to the worker's port. */
import type { Command } from "./messages.ts";
import { TreeHost } from "./treeHost.ts";

/** The part of a dedicated worker's global scope that is used (the compiler's library here is the page's). */
interface WorkerPort {
  onmessage: ((event: MessageEvent<Command>) => void) | null;
  postMessage(message: unknown): void;
}

const port = globalThis as unknown as WorkerPort;
const host = new TreeHost((report) => port.postMessage(report));
port.onmessage = ({ data }) => host.receive(data);
