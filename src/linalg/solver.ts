/** A solver as data, and a family of them over shapes: what requirements and plans are made from. */
import { EngineError } from "../errors.ts";
import type { KernelCall, Target } from "../kernels/call.ts";
import { STATUS_WORDS } from "./eighCalls.ts";

/** A buffer of the caller that a plan reads or writes. */
export interface Port {
  readonly name: string;
  readonly sizeBytes: number;
}

/** The dispatches that solve one shape. */
export interface Solver {
  readonly label: string;
  readonly batch: number;
  readonly inputs: readonly Port[];
  /** By output index of the calls; the one called `status` belongs to the plan. */
  readonly outputs: readonly Port[];
  readonly calls: readonly KernelCall[];
}

export interface SolverFamily<Shape> {
  /** @throws EngineError LINALG-ORDER, LINALG-SHAPE for a shape that no device solves */
  solver(shape: Shape, target: Target): Solver;
  /** The matrices in words: `a matrix of order 3`. */
  describe(shape: Shape): string;
  /** Shapes with one size made smaller, for a device that cannot take this one. */
  shrinkable(shape: Shape): readonly Shrinkable<Shape>[];
}

export interface Shrinkable<Shape> {
  readonly name: string;
  readonly size: number;
  with(size: number): Shape;
}

/** @throws EngineError LINALG-SHAPE */
export function requireWhole(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new EngineError({
    code: "LINALG-SHAPE",
    message: `${name} is ${value}; it must be a whole number of at least 1`,
    fix: `Pass another ${name}.`,
    where: name,
  });
}

export function f32Port(name: string, count: number): Port {
  return { name, sizeBytes: 4 * count };
}

export function statusPort(batch: number): Port {
  return { name: "status", sizeBytes: 4 * STATUS_WORDS * batch };
}

export function matricesOf(batch: number, what: string): string {
  return `${batch === 1 ? "a matrix" : `${batch} matrices`} of ${what}`;
}
