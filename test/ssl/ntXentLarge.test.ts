/** NT-Xent of a batch whose weights do not fit one piece, against the closed-form gradient in float64. */
import { describe, expect, it } from "vitest";
import { slice } from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { ntXent } from "../../src/ssl/index.ts";
import { normalize } from "../oracle/sslLosses.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });

/** Loss and ∂loss/∂z by rows: ∂ℓ/∂u_i = (1/(M·τ))·Σ_j (P_ij + P_ji − 2·[j is i's partner])·u_j, then through the norms. */
function closedForm(z: ArrayLike<number>, pairs: number, d: number, tau: number) {
  const total = 2 * pairs;
  const rows = Array.from({ length: total }, (_, i) => Array.from({ length: d }, (__, k) => z[i * d + k]!));
  const u = rows.map((x) => normalize(x, "max", 1e-12));
  const norms = rows.map((x) => Math.hypot(...x));
  const similarity = (i: number, j: number): number => {
    let s = 0;
    for (let k = 0; k < d; k++) s += u[i]![k]! * u[j]![k]!;
    return s / tau;
  };
  const logSums = u.map((_, i) => {
    let sum = 0;
    for (let j = 0; j < total; j++) if (j !== i) sum += Math.exp(similarity(i, j) - 1 / tau);
    return 1 / tau + Math.log(sum);
  });
  let loss = 0;
  const gradient = new Float64Array(total * d);
  for (let i = 0; i < total; i++) {
    const partner = (i + pairs) % total;
    loss += (logSums[i]! - similarity(i, partner)) / total;
    const dU = new Float64Array(d);
    for (let j = 0; j < total; j++) {
      if (j === i) continue;
      const s = similarity(i, j);
      const weight = Math.exp(s - logSums[i]!) + Math.exp(s - logSums[j]!) - (j === partner ? 2 : 0);
      for (let k = 0; k < d; k++) dU[k]! += (weight * u[j]![k]!) / (total * tau);
    }
    const along = dU.reduce((sum, x, k) => sum + x * u[i]![k]!, 0);
    for (let k = 0; k < d; k++) gradient[i * d + k] = (dU[k]! - along * u[i]![k]!) / norms[i]!;
  }
  return { loss, gradient };
}

describe("ntXent", () => {
  for (const [pairs, d] of [
    [70, 10],
    [1100, 4],
  ] as const) {
    it(`N = ${pairs}, d = ${d}`, async () => {
      const random = new TestRandom(pairs);
      const z = random.normals(2 * pairs * d);
      for (let at = 0; at < pairs * d; at++) z[pairs * d + at] = z[at]! + 0.4 * z[pairs * d + at]!;
      const graph = new Graph();
      const leaf = graph.parameter("z", [2 * pairs, d]);
      const loss = ntXent(slice(leaf, 0, pairs), slice(leaf, pairs, 2 * pairs), { temperature: 0.2 });
      const [dZ] = grad(loss, [leaf]);
      const results = await evaluate(engine(), graph, { z }, { loss, dZ: dZ! });
      const expected = closedForm(z, pairs, d, 0.2);
      // Sums of 2N terms whose errors are those of logits up to 1/τ = 5; largest error seen 5u of the largest entry.
      const scale = Math.max(...Array.from(expected.gradient, Math.abs));
      expect(results.loss).toMatchOracle([expected.loss], { factor: 16 * U, scale: expected.loss });
      expect(results.dZ).toMatchOracle(expected.gradient, { factor: 20 * U, scale });
    });
  }

  it("holds at most 16 MiB of weights at once, whatever the batch", () => {
    const graph = new Graph();
    const leaf = graph.parameter("z", [2 * 4096, 128]);
    const [dZ] = grad(ntXent(slice(leaf, 0, 4096), slice(leaf, 4096, 8192)), [leaf]);
    const plan = planGraph({ graph, programs: { main: [dZ!] }, target: REGISTER_TARGET });
    expect(Math.max(...plan.slots.map(({ sizeBytes }) => sizeBytes))).toBeLessThanOrEqual(2 ** 24);
    // 16 pieces of weights and products; normalise, rows and sum before, the norms' cotangent after.
    expect(plan.calls.filter(({ kernel }) => kernel.name === "ssl/similarity_weights")).toHaveLength(16);
  });
});
