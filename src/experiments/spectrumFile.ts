/** spectrum.npy: the recorded eigenvalues of a whole run. */
import { encodeNpy } from "../data/index.ts";
import type { MetricsRecord } from "./contract.ts";

/** [records, eigenvalues]. */
export function spectrumFile(history: readonly Pick<MetricsRecord, "spectrum">[]): Uint8Array {
  const length = history[0]?.spectrum.length ?? 0;
  const values = new Float32Array(history.length * length);
  history.forEach(({ spectrum }, index) => {
    values.set(spectrum, index * length);
  });
  return encodeNpy(values, [history.length, length]);
}
