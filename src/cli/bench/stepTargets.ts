/** What the golden training step is held to. */
import { type BenchRow, type BenchTarget, OURS } from "./contract.ts";
import { atLeast, atMost, speedTargets } from "./targets.ts";

export const GOLDEN = "golden step";
export const SOAK = "soak";
/** The moment with which the end of a soak is compared. */
export const SOAK_EARLY = 100;
/** Steps whose median time stands for the speed at a moment. */
export const SOAK_WINDOW = 50;
/** With fewer steps the two windows would overlap. */
export const LEAST_SOAK_STEPS = SOAK_EARLY + 2 * SOAK_WINDOW;
const TENSORFLOW = "TensorFlow.js webgpu";

export function stepTargets(rows: readonly BenchRow[]): BenchTarget[] {
  const row = (name: string, engine = OURS) => rows.find((other) => other.name === name && other.engine === engine);
  const own = row(GOLDEN);
  const soak = row(SOAK);
  const ours = own?.verified ? own : undefined;
  const theirBytes = row(GOLDEN, TENSORFLOW)?.reportedGpuBytes;
  const share = ours?.peakGpuBytes !== undefined && theirBytes ? (100 * ours.peakGpuBytes) / theirBytes : null;
  return [
    ...speedTargets("step", rows, {
      "jax-js webgpu": { least: 2.5, aim: 4 },
      [TENSORFLOW]: { least: 8, aim: 15 },
    }),
    atMost("step: dispatches", ours?.dispatches ?? null, 120, 80),
    atMost("step: submits", ours?.submits ?? null, 1),
    atMost("step: GPU objects created after warm-up", ours?.objectsCreated ?? null, 0),
    atMost("step: writeBuffer calls after warm-up", ours?.writeBuffers ?? null, 0),
    atMost(`step: peak GPU memory, percent of ${TENSORFLOW}`, share, 60),
    ...(soak
      ? [
          atLeast(`soak: steps per second at the end over those at step ${SOAK_EARLY}`, soak.speedKept ?? null, {
            least: 0.9,
          }),
          atMost(`soak: growth of GPU memory after step ${SOAK_EARLY}, bytes`, soak.memoryGrowthBytes ?? null, 0),
          atMost("soak: GPU objects created per step", soak.objectsCreated ?? null, 0),
        ]
      : []),
  ];
}
