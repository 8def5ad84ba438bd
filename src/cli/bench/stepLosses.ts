/** Whether a golden step's losses are those that two other engines agree on. */
import { GOLDEN_LOSSES, GOLDEN_TOLERANCE } from "./goldenWork.ts";
import type { Verdict } from "./sideBySide.ts";

export function checkLosses(losses: readonly number[]): Verdict {
  const errors = GOLDEN_LOSSES.map((golden, step) => Math.abs((losses[step] ?? Number.NaN) - golden));
  return {
    verified: errors.every((error) => error <= GOLDEN_TOLERANCE),
    error: Math.max(...errors) / Math.max(...GOLDEN_LOSSES),
  };
}
