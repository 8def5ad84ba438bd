/** The differentiable functions that models are written with. Each checks shapes at once and adds nodes to its operands' graph. */
import { EngineError } from "../errors.ts";
import { crossCorrelationOp, frobeniusIdentityOp } from "../ops/crossCorrelation.ts";
import { affineOp, binaryOp } from "../ops/elementwise.ts";
import { matmulOp } from "../ops/matmul.ts";
import { concatOp, type FillAttributes, fillOp } from "../ops/memory.ts";
import { elementCount, operand, shapeError, shapeText } from "../ops/opDefinition.ts";
import { sumOverColumnsOp, sumOverRowsOp } from "../ops/reduce.ts";
import { standardizeOp } from "../ops/standardize.ts";
import type { Graph, Tensor } from "./graph.ts";

export interface MatmulOptions {
  /** a is stored transposed, [.., K, M]. */
  readonly transposeA?: boolean;
  /** b is stored transposed, [.., N, K]. */
  readonly transposeB?: boolean;
  readonly scale?: number;
}

/** scale · a·b for [.., M, K] × [.., K, N]; a plain b is shared by all of a batched a. */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const attributes = {
    transposeA: options.transposeA ?? false,
    transposeB: options.transposeB ?? false,
    scale: options.scale ?? 1,
    hasBias: false,
    hasAddend: false,
    relu: false,
  };
  return operand(a.graph.add(matmulOp, [a, b], attributes), 0);
}

/** alpha·a + beta·b; b may be one row [n], one column [m, 1] or one number [1]. */
export function add(a: Tensor, b: Tensor, alpha = 1, beta = 1): Tensor {
  return operand(a.graph.add(binaryOp, [a, b], { kind: "add", alpha, beta }, "add"), 0);
}

/** a − b, broadcasting as `add`. */
export function subtract(a: Tensor, b: Tensor): Tensor {
  return add(a, b, 1, -1);
}

/** a·b elementwise, broadcasting as `add`. A constant number on the right becomes a scale. */
export function multiply(a: Tensor, b: Tensor): Tensor {
  const constant = constantValue(b);
  if (constant !== undefined && b.elements === 1) return scale(a, constant);
  return operand(a.graph.add(binaryOp, [a, b], { kind: "multiply", alpha: 1, beta: 1 }, "multiply"), 0);
}

/** alpha·x + beta. */
export function affine(x: Tensor, alpha: number, beta: number): Tensor {
  return operand(x.graph.add(affineOp, [x], { alpha, beta, relu: false }, beta === 0 ? "scale" : "affine"), 0);
}

export function scale(x: Tensor, alpha: number): Tensor {
  return alpha === 1 ? x : affine(x, alpha, 0);
}

/** max(x, 0). */
export function relu(x: Tensor): Tensor {
  return operand(x.graph.add(affineOp, [x], { alpha: 1, beta: 0, relu: true }, "relu"), 0);
}

/** [.., rows, columns] → [.., columns]. */
export function sumOverRows(x: Tensor, factor = 1): Tensor {
  return operand(x.graph.add(sumOverRowsOp, [x], { scale: factor }), 0);
}

/** [.., columns] → [.., 1]. */
export function sumOverColumns(x: Tensor, factor = 1): Tensor {
  return operand(x.graph.add(sumOverColumnsOp, [x], { scale: factor, square: false }), 0);
}

/** factor · Σ x, shape [1]. */
export function sum(x: Tensor, factor = 1): Tensor {
  return reshape(sumOverColumns(reshape(x, [1, x.elements]), factor), [1]);
}

/** factor · ‖x‖_F², shape [1]. */
export function sumSquares(x: Tensor, factor = 1): Tensor {
  const flat = reshape(x, [1, x.elements]);
  const total = operand(x.graph.add(sumOverColumnsOp, [flat], { scale: factor, square: true }, "sumSquares"), 0);
  return reshape(total, [1]);
}

/** Subtracts each column's mean over the rows, matrix by matrix of a batch. */
export function center(x: Tensor): Tensor {
  return operand(x.graph.add(standardizeOp, [x], { standardize: false, epsilon: 0 }, "center"), 0);
}

/** (x − mean)/√(var + epsilon) by column, biased variance, matrix by matrix of a batch. */
export function standardize(x: Tensor, epsilon = 1e-5): Tensor {
  // 1e-5: BatchNorm1d's default, which the Barlow Twins reference uses.
  return operand(x.graph.add(standardizeOp, [x], { standardize: true, epsilon }), 0);
}

/** The same elements under another shape. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  if (elementCount(shape) !== x.elements) {
    throw shapeError("reshape", [x], `cannot become ${shapeText(shape)}`, "Keep the number of elements.");
  }
  const isSame = shape.length === x.shape.length && shape.every((extent, axis) => extent === x.shape[axis]);
  return isSame ? x : x.graph.view(x, shape, 0);
}

/** Entries start … end − 1 of the first dimension; shares memory with x. */
export function slice(x: Tensor, start: number, end: number): Tensor {
  const [length = 1, ...rest] = x.shape;
  const isRun = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= length;
  if (!isRun) {
    throw shapeError(
      "slice",
      [x],
      `rows ${start} … ${end} are not inside`,
      `Use whole numbers 0 ≤ start < end ≤ ${length}.`,
    );
  }
  return x.graph.view(x, [end - start, ...rest], start * elementCount(rest));
}

/** Joins along the first dimension. */
export function concat(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  if (!first) {
    throw new EngineError({
      code: "GRAPH-ARITY",
      message: "concat takes at least one part, given none",
      fix: "Pass the tensors to join.",
      where: "concat",
    });
  }
  const rest = first.shape.slice(1);
  if (parts.some((part) => part.shape.slice(1).join() !== rest.join())) {
    throw shapeError("concat", parts, "parts differ beyond the first dimension", "Reshape the parts alike.");
  }
  const offsets: number[] = [];
  let end = 0;
  for (const part of parts) {
    offsets.push(end);
    end += part.elements;
  }
  const rows = parts.reduce((total, part) => total + (part.shape[0] ?? 0), 0);
  return pack(first.graph, parts, offsets, [rows, ...rest]);
}

/**
 * Lays tensors out in one at given element offsets. Parts that are runs of one tensor, as far apart there as here, are laid out
 * as that tensor.
 */
export function pack(
  graph: Graph,
  parts: readonly Tensor[],
  offsets: readonly number[],
  shape: readonly number[],
): Tensor {
  const placed = joinRuns(parts, offsets, elementCount(shape));
  const tensors = placed.map(({ tensor }) => tensor);
  const attributes = { shape, offsets: placed.map(({ offset }) => offset), inPlace: placed.map(() => false) };
  return operand(graph.add(concatOp, tensors, attributes), 0);
}

/**
 * Whole tensors in the place of their runs, so that their producer can write them where they are wanted: runs in order, the first at the
 * tensor's start, the last at its end. What the tensor holds between runs (zeros, in cotangents that are made so) comes along.
 */
function joinRuns(parts: readonly Tensor[], offsets: readonly number[], total: number) {
  const placed: { tensor: Tensor; offset: number }[] = [];
  for (let at = 0; at < parts.length; ) {
    const [part, offset] = [operand(parts, at), operand(offsets, at)];
    let next = at + 1;
    const { base, offset: start } = part.view ?? { base: part, offset: 0 };
    const continues = ({ view }: Tensor, index: number): boolean =>
      view?.base === base && operand(offsets, index) - offset === view.offset - start;
    if (start === 0) while (next < parts.length && continues(operand(parts, next), next)) next++;
    const last = operand(parts, next - 1);
    const isCovered = (last.view?.offset ?? 0) + last.elements === base.elements;
    const isWhole = next > at + 1 && isCovered && offset + base.elements <= (offsets[next] ?? total);
    placed.push({ tensor: isWhole ? base : part, offset });
    at = isWhole ? next : at + 1;
  }
  return placed;
}

/** A tensor of equal numbers. */
export function constant(graph: Graph, shape: readonly number[], value: number): Tensor {
  return operand(graph.add(fillOp, [], { shape, value }, "constant"), 0);
}

/** The number every element of a constant tensor has; undefined for other tensors. */
export function constantValue(x: Tensor): number | undefined {
  const node = (x.view?.base ?? x).node;
  return node && node.op === (fillOp as unknown) ? (node.attributes as FillAttributes).value : undefined;
}

/**
 * Cross-correlation of two views' embeddings [n, d]: C = (1/n)·zaᵀ·zb, or with `symmetric` averaged with its transpose,
 * C = (1/2n) Σ (z z'ᵀ + z' zᵀ) (Simon et al. 2023, §4).
 */
export function crossCorrelation(za: Tensor, zb: Tensor, options: { readonly symmetric: boolean }): Tensor {
  const rows = za.shape[0] ?? 1;
  const attributes = { scale: 1 / rows, symmetric: options.symmetric };
  return operand(za.graph.add(crossCorrelationOp, [za, zb], attributes), 0);
}

/** Σ_i (C_ii − 1)² + offDiagonal·Σ_{i≠j} C_ij², shape [1]. */
export function frobeniusIdentity(c: Tensor, offDiagonal = 1): Tensor {
  return operand(c.graph.add(frobeniusIdentityOp, [c], { offDiagonal }), 0);
}

/** @throws EngineError GRAPH-NOT-SCALAR unless x has one element */
export function requireScalar(x: Tensor, where: string): void {
  if (x.elements === 1) return;
  throw new EngineError({
    code: "GRAPH-NOT-SCALAR",
    message: `${where}: ${x} is not a single number`,
    fix: "Reduce it with sum() first.",
    where,
  });
}
