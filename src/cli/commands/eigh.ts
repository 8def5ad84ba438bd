/** `eigenstep eigh`: eigenvalues of the symmetric matrices in an .npy file. */
import { EngineError } from "../../errors.ts";
import { formatNumber } from "../../report/format.ts";
import type { CommandContext } from "../context.ts";
import { notMatrices, readMatrices, type SolveOptions, solveAndReport } from "./solving.ts";

/** Asymmetry beyond this, relative to the largest entry, is no rounding: 8 units in the last place of f32. */
const ASYMMETRY = 2 ** -20;
const TAKES = "eigh takes square matrices [..., n, n]";

/** @returns 0 when every matrix was solved, 1 when one was not finite or did not converge */
export async function eigh(options: SolveOptions, context: CommandContext): Promise<number> {
  const input = await readMatrices(options.file, TAKES, context);
  const { path, npy, rows: n, columns, batchShape, matrices } = input;
  if (n !== columns) throw notMatrices(path, npy.shape, TAKES);
  for (let start = 0; start < npy.data.length; start += n * n) assertSymmetric(npy.data, start, n, path);
  const { vectors } = options;
  return solveAndReport(options, input, context, (onFile) => {
    const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
    return runtime.eigh({ kind: "eigh", batchShape, n, vectors, matrices }, context.signal, onFile);
  });
}

/** @throws EngineError DATA-ASYMMETRIC naming the largest asymmetry; entries that are not finite are left to the solver's status */
function assertSymmetric(data: ArrayLike<number>, start: number, n: number, path: string): void {
  let largest = 0;
  let worst = { gap: 0, i: 0, j: 0 };
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const lower = data[start + i * n + j] ?? 0;
      const upper = data[start + j * n + i] ?? 0;
      if (!Number.isFinite(lower) || !Number.isFinite(upper)) return;
      largest = Math.max(largest, Math.abs(lower), Math.abs(upper));
      if (Math.abs(lower - upper) > worst.gap) worst = { gap: Math.abs(lower - upper), i, j };
    }
  }
  if (worst.gap <= ASYMMETRY * largest) return;
  const { gap, i, j } = worst;
  throw new EngineError({
    code: "DATA-ASYMMETRIC",
    message: `Matrix ${start / (n * n)} of ${path} is not symmetric: entries (${i}, ${j}) and (${j}, ${i}) differ by ${formatNumber(gap)}, the largest entry is ${formatNumber(largest)}`,
    fix: "Pass (A + Aᵀ)/2, or take the singular values of a matrix that is not symmetric: eigenstep svd.",
    where: path,
    detail: { matrix: start / (n * n), row: i, column: j, gap, largest },
  });
}
