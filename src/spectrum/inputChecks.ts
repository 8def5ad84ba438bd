/** Border checks of measured curves: a NaN of a diverged run fails here with its place. */
import { EngineError } from "../errors.ts";

/**
 * @throws EngineError DATA-COUNT-MISMATCH, DATA-TOO-FEW, DATA-NONFINITE, DATA-RANGE unless steps increase from 0 or above, one per
 * record
 */
export function checkSteps(where: string, steps: ArrayLike<number>, records: number, least: number): void {
  if (steps.length !== records) {
    throw new EngineError({
      code: "DATA-COUNT-MISMATCH",
      message: `${where}: there are ${steps.length} steps but ${records} records`,
      fix: "Pass one step per record.",
      where,
      detail: { steps: steps.length, records },
    });
  }
  if (records < least) {
    throw new EngineError({
      code: "DATA-TOO-FEW",
      message: `${where}: ${records} records, but at least ${least} are needed`,
      fix: "Record more often.",
      where,
      detail: { records, least },
    });
  }
  checkFinite(`${where}: steps`, steps);
  for (let r = 0; r < steps.length; r++) {
    const [before, step] = [r === 0 ? -1 : Number(steps[r - 1]), Number(steps[r])];
    if (step > before && step >= 0) continue;
    throw new EngineError({
      code: "DATA-RANGE",
      message: `${where}: steps[${r}] is ${step}, not after ${r === 0 ? "the start (0)" : before}`,
      fix: "Pass records in order of steps counted from 0, each once.",
      where,
      detail: { index: r, step },
    });
  }
}

/** @throws EngineError DATA-NONFINITE naming the first NaN or infinity */
export function checkFinite(name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new EngineError({
      code: "DATA-NONFINITE",
      message: `${name}[${i}] is ${values[i]}`,
      fix: "Look for the step that diverged; records before it can be analysed.",
      where: name,
      detail: { index: i, value: String(values[i]) },
    });
  }
}

/** @throws EngineError CONFIG-VALUE unless value is finite and low ≤ value ≤ high (low excluded where it is an open bound) */
export function checkOption(where: string, option: string, value: number, low: number, high: number): void {
  if (Number.isFinite(value) && value >= low && value <= high) return;
  throw new EngineError({
    code: "CONFIG-VALUE",
    message: `${where}: ${option} is ${value}, outside ${low} … ${high}`,
    fix: `Choose ${option} between ${low} and ${high}, or leave it out.`,
    where,
    detail: { option, value: String(value), low, high },
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
