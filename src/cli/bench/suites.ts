/** The table of suites, and one benchmark from start to end; runs where the engine is. */
import { adapterLine } from "../../device/adapter.ts";
import { measureCeiling } from "./ceiling.ts";
import type { BenchContext, BenchDocument, BenchRow, BenchTarget, BenchTask, Suite, SuiteName } from "./contract.ts";
import { eighSuite } from "./eighSuite.ts";

const SUITES: Readonly<Record<SuiteName, Suite>> = { eigh: eighSuite };

export async function executeBench(task: BenchTask, context: BenchContext): Promise<BenchDocument> {
  const { engine, progress } = context;
  progress(`benchmark on ${adapterLine(engine.adapter)}`);
  const ceiling = await measureCeiling(engine);
  const rows: BenchRow[] = [];
  const targets: BenchTarget[] = [];
  for (const name of task.suites) {
    const result = await SUITES[name](context);
    rows.push(...result.rows);
    targets.push(...result.targets);
  }
  return { adapter: engine.adapter, versions: task.versions, ceiling, rows, targets };
}
