/** What all losses of two views share: checks at the border, and both views as one tensor without a copy where they lie side by side. */
import { concat } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { EngineError } from "../errors.ts";
import { shapeError } from "../ops/opDefinition.ts";

export interface ViewShape {
  /** Samples per view. */
  readonly pairs: number;
  /** Output dimensions. */
  readonly d: number;
}

/** @throws EngineError GRAPH-SHAPE unless all are [rows, d] alike with at least `least` rows */
export function requireViews(loss: string, views: readonly Tensor[], least: number): ViewShape {
  const [first, ...others] = views;
  const [pairs = 0, d = 0] = first?.shape ?? [];
  if (first?.shape.length !== 2 || others.some(({ shape }) => shape.join() !== first.shape.join())) {
    throw shapeError(loss, views, "the views must be [rows, d] alike", "Slice equally many rows for each view.");
  }
  if (pairs < least) {
    throw shapeError(
      loss,
      views,
      `a batch of ${pairs} has neither negatives nor a variance, at least ${least} rows are needed`,
      `Use a batch of at least ${least}.`,
    );
  }
  return { pairs, d };
}

/** @throws EngineError CONFIG-VALUE unless value > 0 (≥ 0 with `orZero`) and finite */
export function requirePositive(loss: string, option: string, value: number, orZero = false): void {
  if (Number.isFinite(value) && (value > 0 || (orZero && value === 0))) return;
  const bound = orZero ? "at least 0" : "above 0";
  throw new EngineError({
    code: "CONFIG-VALUE",
    message: `${loss}: ${option} is ${value}, but must be finite and ${bound}`,
    fix: `Set ${option} to a number ${bound}.`,
    where: loss,
    detail: { option, value: String(value), bound: 0 },
  });
}

/**
 * @throws EngineError CONFIG-VALUE unless the further weight of r₊ is finite and leaves 1 + beta positive, where the loss divides by it
 */
export function requireBeta(loss: string, beta: number, isDivided: boolean): void {
  if (Number.isFinite(beta) && (!isDivided || beta > -1)) return;
  throw new EngineError({
    code: "CONFIG-VALUE",
    message: `${loss}: beta is ${beta}, but must be finite${isDivided ? " and above -1" : ""}`,
    fix: "Set beta to 0 for the plain loss.",
    where: loss,
    detail: { option: "beta", value: String(beta), bound: -1 },
  });
}

/** Both views [rows, d] as one [2·rows, d]; no copy where they are neighbouring runs of one tensor. */
export function stackViews(a: Tensor, b: Tensor): Tensor {
  const [rows = 1, d = 1] = a.shape;
  const [left, right] = [a.view, b.view];
  const areNeighbours =
    left !== undefined &&
    right !== undefined &&
    left.base === right.base &&
    left.offset + a.elements === right.offset &&
    left.isDetached === right.isDetached;
  // A view of the base itself, so that derivatives reach it as one run.
  return areNeighbours ? a.graph.view(left.base, [2 * rows, d], left.offset, left.isDetached) : concat([a, b]);
}
