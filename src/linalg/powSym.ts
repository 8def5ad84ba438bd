/** Square root, inverse square root and inverse of symmetric positive semi-definite matrices: eigen-decomposition, then V diag(f(λ)) Vᵀ. */
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import type { KernelCall, Operand, Target } from "../kernels/call.ts";
import { symmetricPower } from "../kernels/library.ts";
import { eighCalls } from "./eighCalls.ts";
import { eighFamily } from "./eighSolver.ts";
import { runOnHost } from "./hostRun.ts";
import type { PlanBuffer } from "./portChecks.ts";
import { f32Port, matricesOf, type SolverFamily, statusPort } from "./solver.ts";
import { planFor, type SolverPlan } from "./solverPlan.ts";
import type { EighStatus } from "./status.ts";

/** Exponents that have a kernel. */
export type SymmetricExponent = 0.5 | -0.5 | -1;

export interface PowSymShape {
  /** Order of the matrices, 1 … MAX_EIGH_ORDER. */
  readonly n: number;
  readonly exponent: SymmetricExponent;
  /** Number of matrices, 1 unless given. */
  readonly batch?: number | undefined;
  /** Eigenvalues up to cutoff·max|λ| count as zero, and so does their power; n·2⁻²³ unless given. */
  readonly cutoff?: number | undefined;
}

export interface PowSymBuffers {
  /** f32[batch, n, n] row-major; the lower triangle is read. Not written. */
  readonly a: PlanBuffer;
  /** f32[batch, n, n], symmetric to the bit. */
  readonly y: PlanBuffer;
}

export interface PowSymResult {
  /** [batch, n, n]; a matrix with NaN or infinity gives zeros. */
  readonly powers: Float32Array;
  readonly status: readonly EighStatus[];
}

/** Knob POWER of the kernels by exponent. */
export const POWER_CODE: Readonly<Record<SymmetricExponent, number>> = { 0.5: 0, [-0.5]: 1, [-1]: 2 };

/** The kernel call that follows a decomposition; shared with the op of graphs. */
export function symmetricPowerCall(
  shape: { readonly n: number; readonly batch: number; readonly exponent: SymmetricExponent; readonly cutoff: number },
  bindings: { readonly values: Operand; readonly vectors: Operand; readonly y: Operand },
): KernelCall {
  const { n, batch, exponent, cutoff } = shape;
  return {
    kernel: symmetricPower,
    knobs: { POWER: POWER_CODE[exponent] },
    params: { batch, n, cutoff },
    bindings: { ...bindings },
  };
}

export function defaultCutoff(n: number): number {
  return n * 2 ** -23;
}

function powSymCalls(n: number, batch: number, exponent: SymmetricExponent, cutoff: number, target: Target) {
  const values: Operand = { kind: "scratch", name: "values", elements: batch * n };
  const vectors: Operand = { kind: "scratch", name: "vectors", elements: batch * n * n };
  const y: Operand = { kind: "output", index: 0 };
  // The decomposition's values and vectors stay inside; its status (output 1) is ours.
  const inside = (operand: Operand): Operand =>
    operand.kind !== "output" || operand.index === 1 ? operand : operand.index === 0 ? values : vectors;
  const solve = eighCalls({ n, batch, vectors: true }, target).map((call) => ({
    ...call,
    bindings: Object.fromEntries(Object.entries(call.bindings).map(([name, operand]) => [name, inside(operand)])),
  }));
  return [...solve, symmetricPowerCall({ n, batch, exponent, cutoff }, { values, vectors, y })];
}

const powSymFamily: SolverFamily<PowSymShape> = {
  solver({ n, exponent, batch = 1, cutoff = defaultCutoff(n) }, target) {
    // Checks order and batch.
    const { label } = eighFamily.solver({ n, batch, vectors: true }, target);
    if (!(cutoff >= 0 && cutoff < 1)) {
      throw new EngineError({
        code: "LINALG-CUTOFF",
        message: `The cut-off is ${cutoff}; it must be at least 0 and below 1`,
        fix: "Give it relative to the largest eigenvalue.",
        where: "powSym",
      });
    }
    return {
      label: label.replace("eigh", `powSym ${exponent}`),
      batch,
      inputs: [f32Port("a", batch * n * n)],
      outputs: [f32Port("y", batch * n * n), statusPort(batch)],
      calls: powSymCalls(n, batch, exponent, cutoff, target),
    };
  },
  describe: ({ n, batch = 1 }) => matricesOf(batch, `order ${n}`),
  shrinkable: (shape) => [
    { name: "n", size: shape.n, with: (n) => ({ ...shape, n }) },
    { name: "batch", size: shape.batch ?? 1, with: (batch) => ({ ...shape, batch }) },
  ],
};

/** Prepares a power of symmetric matrices; see `plan`. @throws EngineError LINALG-ORDER, LINALG-SHAPE, LINALG-CUTOFF, LIMIT-DEVICE, … */
export function planPowSym(engine: Engine, shape: PowSymShape): Promise<SolverPlan<PowSymBuffers>> {
  return planFor(engine, powSymFamily, shape);
}

/**
 * A^exponent on host arrays.
 *
 * @param matrices f32[batch, n, n] row-major, positive semi-definite; the lower triangle is read
 * @throws EngineError what `planPowSym` throws, and LINALG-SHAPE when the array does not hold batch·n² numbers
 * Source Higham 2008, Functions of Matrices, §1.2
 */
export async function powSym(engine: Engine, matrices: Float32Array, shape: PowSymShape): Promise<PowSymResult> {
  const { n, batch = 1 } = shape;
  const solver = await planPowSym(engine, shape);
  if (matrices.length !== batch * n * n) {
    solver.destroy();
    throw new EngineError({
      code: "LINALG-SHAPE",
      message: `${batch} matrices of order ${n} are ${batch * n * n} numbers; given ${matrices.length}`,
      fix: "Pass f32[batch, n, n].",
      where: "powSym",
    });
  }
  const { outputs, status } = await runOnHost(engine, solver, { a: matrices }, { y: batch * n * n });
  return { powers: outputs.y ?? new Float32Array(0), status: status.map((matrix) => matrix.status) };
}
