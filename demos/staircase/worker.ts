/** Entry of the worker: wires the training host to the worker's port. */
import type { Command } from "./messages.ts";
import { TrainingHost } from "./trainingHost.ts";

/** The part of a dedicated worker's global scope that is used (the compiler's library here is the page's). */
interface WorkerPort {
  onmessage: ((event: MessageEvent<Command>) => void) | null;
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
}

const port = globalThis as unknown as WorkerPort;
const host = new TrainingHost((report, transfer) => port.postMessage(report, transfer));
port.onmessage = ({ data }) => host.receive(data);
