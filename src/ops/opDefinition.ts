/** What an op is to the planner: a shape rule and a lowering to kernel calls. Forward only; cotangents are rules of autodiff. */
import { EngineError } from "../errors.ts";
import type { KernelCall, Target } from "../kernels/call.ts";

export type { KernelCall, MatmulFamily, Operand, Target } from "../kernels/call.ts";

export type DType = "f32" | "u32";

/** Shape and element type of a tensor; row-major, last dimension contiguous. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** An operand as the planner has placed it. */
export interface PlacedTensor extends TensorSpec {
  /** Elements from the bound range's start to the tensor's first element, 0 … 63; 0 unless the op accepts offsets. */
  readonly offset: number;
}

export interface LowerContext<Attributes> {
  readonly inputs: readonly PlacedTensor[];
  readonly outputs: readonly PlacedTensor[];
  readonly attributes: Attributes;
  readonly target: Target;
}

export interface OpDefinition<Attributes = unknown> {
  readonly name: string;
  /**
   * Specs of the outputs.
   *
   * @throws EngineError GRAPH-SHAPE naming the op and the shapes
   */
  infer(inputs: readonly TensorSpec[], attributes: Attributes): readonly TensorSpec[];
  lower(context: LowerContext<Attributes>): readonly KernelCall[];
  /** Floating-point operations, a multiply-add counting two. */
  flops(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[], attributes: Attributes): number;
  /** What may start at any element: operands, or results too. The rest starts at multiples of 64 elements (256 bytes). */
  readonly acceptsOffsets?: "operands" | "all";
  /** Indices of inputs that the op also writes, in place (optimiser, counters): persistent tensors only. */
  readonly writes?: readonly number[];
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** An error that names the op and every operand's shape. */
export function shapeError(op: string, inputs: readonly TensorSpec[], why: string, fix: string): EngineError {
  const shapes = inputs.map((input) => shapeText(input.shape)).join(" and ");
  return new EngineError({
    code: "GRAPH-SHAPE",
    message: `${op}: ${why}; given ${shapes}`,
    fix,
    where: op,
    detail: { op, shapes: inputs.map((input) => [...input.shape]) },
  });
}

/** @throws EngineError GRAPH-SHAPE unless all inputs are f32 */
export function requireF32(op: string, inputs: readonly TensorSpec[]): void {
  const wrong = inputs.findIndex((input) => input.dtype !== "f32");
  if (wrong >= 0) {
    throw shapeError(op, inputs, `operand ${wrong} has element type ${inputs[wrong]?.dtype}`, "Pass f32 tensors.");
  }
}

/** Leading dimensions folded into a batch: [..., rows, columns] → { batch, rows, columns }. A vector is one row. */
export function asMatrices(spec: TensorSpec): {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
} {
  const columns = spec.shape.at(-1) ?? 1;
  const rows = spec.shape.at(-2) ?? 1;
  return { batch: elementCount(spec.shape.slice(0, -2)), rows, columns };
}

/** The i-th operand; ops call it after `infer` has checked their number. */
export function operand<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`operand ${index} is missing: an op was lowered without infer`);
  return item;
}

/** @throws EngineError GRAPH-ARITY when an op gets the wrong number of inputs */
export function requireInputs(op: string, inputs: readonly TensorSpec[], count: number): void {
  if (inputs.length === count) return;
  throw new EngineError({
    code: "GRAPH-ARITY",
    message: `${op} takes ${count} inputs, given ${inputs.length}`,
    fix: "Pass the operands the op documents.",
    where: op,
  });
}
