/** Runs kernels and solvers once on an engine and compares with the float64 oracles. For `eigenstep info`. */
import type { Engine } from "../../device/engine.ts";
import { isEngineError } from "../../errors.ts";
import { runKernel } from "../../kernels/runKernel.ts";
import type { SelfCheck } from "../runtimes/runtime.ts";
import { type KernelCheck, kernelChecks } from "./kernelChecks.ts";
import { checkSolvers } from "./solverChecks.ts";

export async function selfCheck(engine: Engine): Promise<SelfCheck> {
  const checks = kernelChecks();
  const failures: string[] = [];
  for (const check of checks) {
    // The workgroup family makes SwiftShader compile for seconds, and no run on a software adapter uses it.
    if (engine.adapter.isSoftware && check.kernel.name === "matmul/matmul_workgroup") continue;
    const failure = await failureOf(engine, check);
    if (failure) failures.push(`${check.kernel.name}: ${failure}`);
  }
  const solvers = await checkSolvers(engine);
  failures.push(...solvers.flatMap(({ name, fault }) => (fault ? [`${name}: ${fault}`] : [])));
  const names = new Set(checks.map(({ kernel }) => kernel.name));
  const skipped = engine.adapter.isSoftware ? 1 : 0;
  return {
    ok: failures.length === 0,
    message:
      failures.length === 0
        ? `${names.size - skipped} kernels and ${solvers.length} solvers agree with their float64 oracles${skipped ? "; matmul_workgroup is not used on software adapters" : ""}`
        : failures.join("; "),
  };
}

async function failureOf(engine: Engine, { kernel, run, expected }: KernelCheck): Promise<string | undefined> {
  try {
    const results = await runKernel(engine, kernel, run);
    for (const [name, { values, tolerance }] of Object.entries(expected)) {
      const got = results[name];
      for (let i = 0; i < values.length; i++) {
        const error = Math.abs((got?.[i] ?? Number.NaN) - (values[i] ?? Number.NaN));
        if (!(error <= tolerance))
          return `${name}[${i}] is ${got?.[i]}, should be ${values[i]} ± ${tolerance.toExponential(1)}`;
      }
    }
    return undefined;
  } catch (error) {
    if (isEngineError(error)) return `${error.code} ${error.message}`;
    throw error;
  }
}
