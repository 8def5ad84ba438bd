/** Runs a convolution's dispatches on host arrays, one after another. */
import type { Engine } from "../../src/device/engine.ts";
import type { KernelCall } from "../../src/kernels/call.ts";
import { runF32, unwritten } from "./runF32.ts";

/**
 * @param inputs by the index of the calls' operands
 * @param outputElements elements of output 0; the kernel must overwrite all
 */
export async function runConv(
  engine: Engine,
  calls: readonly KernelCall[],
  inputs: readonly Float32Array[],
  outputElements: number,
  options: { readonly unroll?: boolean } = {},
): Promise<Float32Array> {
  const contents = new Map<string, Float32Array>();
  let output: Float32Array | undefined;
  for (const { kernel, knobs, params, bindings } of calls) {
    const buffers: Record<string, Float32Array> = {};
    let written: { readonly binding: string; readonly name: string } | undefined;
    for (const [binding, operand] of Object.entries(bindings)) {
      if (operand.kind === "input") buffers[binding] = inputs[operand.index]!;
      else if (operand.kind === "unused") buffers[binding] = new Float32Array(4);
      else {
        const name = operand.kind === "scratch" ? operand.name : "output";
        const elements = operand.kind === "scratch" ? operand.elements : outputElements;
        const earlier = contents.get(name);
        if (!earlier) written = { binding, name };
        buffers[binding] = earlier ?? unwritten(elements);
      }
    }
    if (!written) throw new Error(`${kernel.name} writes nothing new`);
    output = await runF32(engine, kernel, { buffers, params, knobs, ...options }, written.binding);
    contents.set(written.name, output);
  }
  if (!output) throw new Error("no calls");
  return output;
}
