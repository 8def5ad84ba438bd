/** Draws docs/figures/svd-vs-covariance.svg: one staircase spectrum through a covariance in f32 and through the embeddings themselves. */
import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { crossCorrelation } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { eigh } from "../../src/linalg/eigh.ts";
import { svd } from "../../src/linalg/svd.ts";
import { withSingularValues } from "../oracle/rectangularFamilies.ts";
import { svd as reference } from "../oracle/svd.ts";
import { useEngine } from "../support/device.ts";
import { spectrumFigure } from "./spectrumFigure.ts";

const engine = useEngine();
const [N, D] = [512, 64];
const STAIRS = 8;

describe("the figure", () => {
  it("a covariance in f32 loses everything below 1e-7 of the top eigenvalue; the embeddings keep fourteen decades", async () => {
    // λ = 1 … 1e-14 in eight steps of eight, σ = √λ; a slope of two percent a step keeps the eigenvalues apart.
    const sigma = Array.from({ length: D }, (_, i) => 10 ** -Math.floor((i * STAIRS) / D) * 1.01 ** -(i % STAIRS));
    const z = withSingularValues(sigma, N, 11);
    const exact = Array.from(reference(z, N, D).values, (s) => s * s);
    const spectrum = await svd(engine(), z, { rows: N, columns: D });
    const { c } = await runKernel(engine(), crossCorrelation, {
      buffers: { a: z, b: z, c: new Float32Array(D * D) },
      params: { rows: N, columns: D, a_offset: 0, b_offset: 0, scale: 1 },
      read: ["c"],
    });
    const covariance = await eigh(engine(), c as Float32Array, { n: D, batch: 1 });
    const ours = Array.from(spectrum.values, (s) => s * s);
    // What the figure says, said by numbers.
    const ratio = (values: ArrayLike<number>, i: number) =>
      Math.abs(Math.log10(Math.max(values[i]!, 1e-300) / exact[i]!));
    for (let i = 0; i < D; i++) if (exact[i]! > 1e-12) expect(ratio(ours, i)).toBeLessThan(0.05);
    expect(ratio(ours, D - 1)).toBeLessThan(1);
    expect(ratio(covariance.values, D - 1)).toBeGreaterThan(3);
    writeFileSync(
      "docs/figures/svd-vs-covariance.svg",
      spectrumFigure({ exact, spectrum: ours, covariance: [...covariance.values], rows: N }),
    );
  });
});
