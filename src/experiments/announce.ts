/** Phases of a run before training. */
import type { RunSink } from "./contract.ts";

/** Names a phase, and lets it be shown before a long computation. */
export async function announce(sink: RunSink, phase: string): Promise<void> {
  sink.phase(phase);
  await new Promise((resolve) => setTimeout(resolve));
}
