/** The table of suites, and one benchmark from start to end; runs where the engine is. */
import { type AdapterDescription, adapterLine } from "../../device/adapter.ts";
import { EngineError } from "../../errors.ts";
import { FIRST_VARIANT, measureCeiling } from "./ceiling.ts";
import {
  type BenchContext,
  type BenchDocument,
  type BenchRow,
  type BenchTask,
  type Ceiling,
  OURS,
  type Suite,
  type SuiteName,
} from "./contract.ts";
import { convSuite } from "./convSuite.ts";
import { eighSuite } from "./eighSuite.ts";
import { matmulSuite } from "./matmulSuite.ts";
import { stepSuite } from "./stepSuite.ts";

const SUITES: Readonly<Record<SuiteName, Suite>> = {
  eigh: eighSuite,
  matmul: matmulSuite,
  conv: convSuite,
  step: stepSuite,
};

/** @throws EngineError BENCH-NOTHING when `only` leaves no row */
export async function executeBench(
  task: BenchTask,
  surroundings: Omit<BenchContext, "wants" | "soakSteps" | "multiplyAdds">,
): Promise<BenchDocument> {
  const { engine, progress } = surroundings;
  const { only, soakSteps } = task;
  const wants = (name: string) => only === undefined || name.includes(only);
  const prepared: BenchContext = { ...surroundings, multiplyAdds: FIRST_VARIANT, wants, soakSteps };
  progress(`benchmark on ${adapterLine(engine.adapter)}`);
  await requireRows(task, prepared);
  const { ceiling: first, best } = await measureCeiling(engine);
  const context: BenchContext = { ...prepared, multiplyAdds: best };
  const measured: BenchRow[] = [];
  for (const name of task.suites) measured.push(...(await SUITES[name].measure(context)));
  // Other work on the machine lowers the ceiling for a while; the higher of two is nearer to what the adapter can do.
  const ceiling = higher(first, (await measureCeiling(engine)).ceiling);
  const rows = annotated(measured, ceiling);
  return {
    adapter: engine.adapter,
    versions: task.versions,
    ceiling,
    rows,
    targets: targetsOf(task.suites, rows, engine.adapter),
  };
}

function targetsOf(suites: readonly SuiteName[], rows: readonly BenchRow[], adapter: AdapterDescription) {
  return suites.flatMap((suite) =>
    SUITES[suite].targets(
      rows.filter((row) => row.suite === suite),
      adapter,
    ),
  );
}

function higher(a: Ceiling, b: Ceiling): Ceiling {
  return {
    gflops: Math.max(a.gflops, b.gflops),
    gbps: Math.max(a.gbps, b.gbps),
    usPerDispatch: Math.min(a.usPerDispatch, b.usPerDispatch),
  };
}

/** Rows with what takes another row or the ceiling to say. */
export function annotated(rows: readonly BenchRow[], ceiling: Ceiling): BenchRow[] {
  const key = ({ suite, name }: BenchRow) => `${suite} ${name}`;
  const ours = new Map(rows.filter(({ engine }) => engine === OURS).map((row) => [key(row), row.medianMs]));
  return rows.map((row) => {
    const ownMs = ours.get(key(row));
    const { engine, medianMs, gflops } = row;
    return {
      ...row,
      ...(engine !== OURS && medianMs !== null && ownMs ? { ratio: medianMs / ownMs } : {}),
      ...(gflops === undefined ? {} : { percentOfCeiling: (100 * gflops) / ceiling.gflops }),
    };
  });
}

/** @throws EngineError BENCH-NOTHING before anything is measured, when `only` leaves no row */
async function requireRows({ suites, only }: BenchTask, context: BenchContext): Promise<void> {
  if (only === undefined) return;
  const names = new Set<string>();
  let isSome = false;
  // A suite that may measure nothing asks for every name.
  const wants = (name: string): boolean => {
    names.add(name);
    isSome ||= context.wants(name);
    return false;
  };
  for (const suite of suites) await SUITES[suite].measure({ ...context, wants });
  if (isSome) return;
  throw new EngineError({
    code: "BENCH-NOTHING",
    message: `No row's name contains ${JSON.stringify(only)}`,
    fix: `The names: ${[...names].join(", ")}.`,
    where: "--only",
  });
}
