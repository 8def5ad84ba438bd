/** One solver's list of dispatches on given matrices, ready to be timed: the same list that graphs and stand-alone plans run. */
import type { Engine } from "../../device/engine.ts";
import { STATUS_WORDS } from "../../linalg/eighCalls.ts";
import { targetFor } from "../../linalg/requirements.ts";
import { type PlanShape, type Solver, solverOf } from "../../linalg/shapes.ts";
import { type DispatchList, prepareDispatches } from "./dispatchList.ts";

/** Outputs of every solver, by index. */
const VALUES = 0;
const STATUS = 1;

export interface Solved {
  readonly values: Float32Array;
  /** Of the first matrix. */
  readonly sweeps: number;
  readonly flags: number;
}

export interface SolverRun extends Disposable {
  readonly dispatches: number;
  /** The matrices on the GPU. */
  readonly input: GPUBuffer;
  /** Solves, and resolves when the eigenvalues (singular values) are on the host. */
  run(): Promise<Float32Array>;
  /** Solves and reads the status, too. */
  solve(): Promise<Solved>;
}

export function solverCalls(engine: Engine, shape: PlanShape): Solver {
  return solverOf(shape, targetFor(engine.adapter.isSoftware));
}

/** @param part takes a piece of the list, for measuring pieces; all of it unless given */
export async function prepareSolver(
  engine: Engine,
  shape: PlanShape,
  matrices: Float32Array,
  part: (calls: Solver["calls"]) => Solver["calls"] = (calls) => calls,
): Promise<SolverRun> {
  const solver = solverCalls(engine, shape);
  const list: DispatchList = await prepareDispatches(engine, {
    calls: part(solver.calls),
    inputs: [matrices],
    outputBytes: solver.outputs.map(({ sizeBytes }) => sizeBytes),
  });
  const [input] = list.inputs;
  if (!input) throw new Error("unreachable: a solver has an input");
  return {
    dispatches: list.dispatches,
    input,
    async run() {
      const [values] = await list.run([VALUES]);
      return new Float32Array(values ?? new ArrayBuffer(0));
    },
    async solve() {
      const [values, status] = await list.run([VALUES, STATUS]);
      const words = new Uint32Array(status ?? new ArrayBuffer(4 * STATUS_WORDS));
      return {
        values: new Float32Array(values ?? new ArrayBuffer(0)),
        sweeps: words[0] ?? 0,
        flags: words[1] ?? 0,
      };
    },
    [Symbol.dispose]: () => list[Symbol.dispose](),
  };
}
