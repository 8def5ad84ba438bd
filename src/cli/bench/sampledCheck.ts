/** A result against float64: all of its entries, or of a large one a sample. */
import type { Entry } from "../../../test/oracle/productEntries.ts";
import { SeededNormals } from "../../../test/oracle/seededNormals.ts";
import type { Verdict } from "./sideBySide.ts";

/** A defect that touches one entry in 500 goes unseen with a chance below e⁻⁴. */
const SAMPLE = 2_000;
/** Unit roundoff of f32. */
const U = 2 ** -24;
/** Operations beside the products and the additions of an entry: scaling, the sum of partial sums. */
const EXTRA_ROUNDINGS = 3;

/**
 * @param length entries that the result must have
 * @param entryOf the exact entry; an entry of K terms may be off by γ_{K+3} times the sum of their magnitudes, whatever their order
 */
export function sampledCheck(result: Float32Array, length: number, entryOf: (at: number) => Entry): Verdict {
  let [error, largest] = [0, 0];
  let verified = result.length === length;
  for (const at of sampleOf(length)) {
    const { value, magnitude, terms } = entryOf(at);
    const difference = Math.abs((result[at] ?? Number.NaN) - value);
    const roundings = (terms + EXTRA_ROUNDINGS) * U;
    // Negated, so that NaN fails.
    if (!(difference <= (roundings / (1 - roundings)) * magnitude)) verified = false;
    if (difference > error || Number.isNaN(difference)) error = difference;
    largest = Math.max(largest, Math.abs(value));
  }
  return { verified, error: error / largest };
}

/** Every index of a short result; of a long one its ends and a sample, the same each time. */
function sampleOf(length: number): Iterable<number> {
  if (length <= SAMPLE) return Array.from({ length }, (_, at) => at);
  const random = new SeededNormals(length);
  return [0, length - 1, ...Array.from({ length: SAMPLE }, () => Math.floor(random.uniform() * length))];
}
