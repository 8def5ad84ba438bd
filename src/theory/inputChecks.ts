/**
 * Border checks of the theory layer: each public function of this folder validates shapes and finiteness through these,
 * so that a NaN from a broken run fails here with its index, and the kernels behind may trust their input.
 */
import { EngineError } from "../errors.ts";

/** @throws EngineError THEORY-SHAPE unless `value` is an integer ≥ `least`. */
export function checkCount(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new EngineError({
      code: "THEORY-SHAPE",
      message: `${name} is ${value}, but must be an integer of at least ${least}.`,
      fix: `Pass ${name} >= ${least}.`,
      where: name,
      detail: { value, least },
    });
  }
}

/** @throws EngineError THEORY-SHAPE unless `array` holds at least `least` numbers (exactly, when `exact`). */
export function checkLength(name: string, array: ArrayLike<number>, least: number, exact = false): void {
  if (array.length < least || (exact && array.length !== least)) {
    throw new EngineError({
      code: "THEORY-SHAPE",
      message: `${name} holds ${array.length} numbers, but ${exact ? "exactly" : "at least"} ${least} are needed.`,
      fix: `Pass ${name} row-major with the sizes named in the call.`,
      where: name,
      detail: { length: array.length, needed: least },
    });
  }
}

/** @throws EngineError THEORY-NONFINITE naming the first NaN or infinity among the first `count` entries. */
export function checkFinite(name: string, array: ArrayLike<number>, count = array.length): void {
  for (let i = 0; i < count; i++) {
    if (!Number.isFinite(array[i])) {
      throw new EngineError({
        code: "THEORY-NONFINITE",
        message: `${name}[${i}] is ${array[i]}; the theory needs finite numbers.`,
        fix: `Look for the step or file that produced ${name}; a diverged run shows this first.`,
        where: name,
        detail: { index: i, value: String(array[i]) },
      });
    }
  }
}

/** @throws EngineError THEORY-RANGE unless `low` < value (or ≤ with `orEqual`) and value is finite. */
export function checkAbove(name: string, value: number, low: number, orEqual = false): void {
  const isFine = Number.isFinite(value) && (orEqual ? value >= low : value > low);
  if (!isFine) {
    throw new EngineError({
      code: "THEORY-RANGE",
      message: `${name} is ${value}, but must be finite and ${orEqual ? "at least" : "above"} ${low}.`,
      fix: `Pass ${name} ${orEqual ? ">=" : ">"} ${low}.`,
      where: name,
      detail: { value: String(value), low },
    });
  }
}
