/** A plan on host arrays: one upload, submits of bounded length, one read-back for each output. */
import type { Engine } from "../device/engine.ts";
import type { SolverPlan } from "./solverPlan.ts";
import type { MatrixStatus } from "./status.ts";

/** Dispatches in one submit: a long solve must not keep a display from its GPU. */
const DISPATCHES_PER_SUBMIT = 512;

export interface HostResult {
  readonly outputs: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
  readonly status: readonly MatrixStatus[];
}

/**
 * @param plan   destroyed afterwards
 * @param counts floats of each output
 */
export async function runOnHost<Buffers extends object>(
  engine: Engine,
  plan: SolverPlan<Buffers>,
  inputs: Readonly<Record<string, Float32Array>>,
  counts: Readonly<Record<string, number>>,
): Promise<HostResult> {
  const { inputBytes, outputBytes } = plan.requirements;
  const sizes = { ...inputBytes, ...outputBytes };
  const names = Object.keys(sizes);
  const buffers: GPUBuffer[] = [];
  try {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    buffers.push(
      ...(await engine.createBuffers(names.map((name) => ({ label: name, sizeBytes: sizes[name] ?? 0, usage })))),
    );
    const byName = Object.fromEntries(names.map((name, index) => [name, buffers[index] as GPUBuffer]));
    for (const [name, data] of Object.entries(inputs)) {
      engine.write(byName[name] as GPUBuffer, 0, data as Float32Array<ArrayBuffer>);
    }
    for (let start = 0; start < plan.dispatches; start += DISPATCHES_PER_SUBMIT) {
      const encoder = engine.device.createCommandEncoder({ label: "eigenstep/linalg" });
      plan.encodeRange(encoder, byName as Buffers, start, start + DISPATCHES_PER_SUBMIT);
      engine.submit(encoder.finish());
    }
    const outputs: Record<string, Float32Array<ArrayBuffer>> = {};
    const status = await plan.readStatus();
    for (const [name, count] of Object.entries(counts)) {
      outputs[name] = new Float32Array(await engine.readBuffer(byName[name] as GPUBuffer, 0, 4 * count));
    }
    return { outputs, status };
  } finally {
    engine.destroyBuffers(buffers);
    plan.destroy();
  }
}
