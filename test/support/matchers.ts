/** `toMatchOracle`: every element within its own derived bound of a float64 reference; says where and by how much it is not. */
import { expect } from "vitest";

/** Unit roundoff of f32. */
export const U = 2 ** -24;

/** γ_k = k·u/(1 − k·u), the relative error of k chained roundings (Higham 2002, §3.1). */
export function gamma(k: number): number {
  return (k * U) / (1 - k * U);
}

export interface OracleBound {
  /** Relative factor, usually gamma(k). */
  readonly factor: number;
  /** Magnitudes that the factor multiplies, one per element or one for all: the sum of absolute terms, not the result. */
  readonly scale: ArrayLike<number> | number;
  /** Added to every bound: for exact zero scales or inputs rounded before the kernel saw them. */
  readonly absolute?: number;
}

interface OracleMatchers<R = unknown> {
  toMatchOracle(reference: ArrayLike<number>, bound: OracleBound): R;
}

declare module "vitest" {
  // biome-ignore lint/suspicious/noExplicitAny: vitest's own declaration has this parameter
  interface Assertion<T = any> extends OracleMatchers<T> {}
  interface AsymmetricMatchersContaining extends OracleMatchers {}
}

expect.extend({
  toMatchOracle(actual: ArrayLike<number>, reference: ArrayLike<number>, bound: OracleBound) {
    const faults: string[] = [];
    let worst = 0;
    if (actual.length !== reference.length) {
      return { pass: false, message: () => `length ${actual.length}, oracle has ${reference.length}` };
    }
    for (let i = 0; i < reference.length; i++) {
      const expected = reference[i] ?? Number.NaN;
      const got = actual[i] ?? Number.NaN;
      const scale = typeof bound.scale === "number" ? bound.scale : (bound.scale[i] ?? Number.NaN);
      const allowed = bound.factor * scale + (bound.absolute ?? 0);
      const error = Math.abs(got - expected);
      if (!(error <= allowed)) {
        if (faults.length < 10) {
          faults.push(
            `  [${i}] expected ${expected}, got ${got}, error ${error.toExponential(2)} > ${allowed.toExponential(2)}`,
          );
        } else faults.push("");
      }
      if (allowed > 0) worst = Math.max(worst, error / allowed);
    }
    return {
      pass: faults.length === 0,
      message: () =>
        `${faults.length} of ${reference.length} elements out of bound (worst error/bound ${worst.toFixed(2)}):\n${faults.slice(0, 10).join("\n")}`,
    };
  },
});
