/** `eigenstep svd`: singular values of the matrices in an .npy file. */
import type { CommandContext } from "../context.ts";
import { readMatrices, type SolveOptions, solveAndReport } from "./solving.ts";

/** @returns 0 when every matrix was solved, 1 when one was not finite or did not converge */
export async function svd(options: SolveOptions, context: CommandContext): Promise<number> {
  const input = await readMatrices(options.file, "svd takes matrices [..., rows, columns]", context);
  const { rows, columns, batchShape, matrices } = input;
  const { vectors } = options;
  return solveAndReport(options, input, context, (onFile) => {
    const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
    return runtime.svd({ kind: "svd", batchShape, rows, columns, vectors, matrices }, context.signal, onFile);
  });
}
