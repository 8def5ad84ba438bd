/** Runs a kernel and returns one f32 output; and the value sets that every kernel is tried on. */
import type { Engine } from "../../src/device/engine.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { type KernelRun, runKernel } from "../../src/kernels/runKernel.ts";
import type { TestRandom } from "../support/random.ts";

export async function runF32(
  engine: Engine,
  kernel: Kernel,
  run: Omit<KernelRun, "read">,
  output = "y",
): Promise<Float32Array> {
  const results = await runKernel(engine, kernel, { ...run, read: [output] });
  return results[output] as Float32Array;
}

/** An output buffer whose every element the kernel must overwrite: a leftover shows. */
export function unwritten(count: number): Float32Array {
  return new Float32Array(count).fill(-12345);
}

/** The bits of an f32 array, for tests of equal bits (where 0 and −0 differ and NaN equals NaN). */
export function bitsOf(values: Float32Array): number[] {
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
}

export const VALUE_SETS = ["normal", "equal", "spread", "cancelling"] as const;
export type ValueSet = (typeof VALUE_SETS)[number];

/**
 * normal: standard normal · equal: one number that f32 rounds · spread: magnitudes log-uniform over 10^±decades, either sign ·
 * cancelling: pairs x, −x(1 + 2⁻²²) apart by half the array, so that sums are tiny beside their terms.
 */
export function values(set: ValueSet, count: number, random: TestRandom, decades = 10): Float32Array {
  if (set === "normal") return random.normals(count);
  if (set === "equal") return new Float32Array(count).fill(1.1);
  if (set === "spread") {
    return Float32Array.from({ length: count }, () => {
      const magnitude = 10 ** (decades * (2 * random.uniform() - 1));
      return random.uniform() < 0.5 ? -magnitude : magnitude;
    });
  }
  const half = Math.ceil(count / 2);
  const first = random.normals(half);
  return Float32Array.from({ length: count }, (_, i) => (i < half ? first[i]! : -first[i - half]! * (1 + 2 ** -22)));
}
