// The one way the data layer fails: an EngineError whose code starts with DATA- and which names the file concerned.

import { EngineError } from "../errors.ts";

export type DataErrorCode = `DATA-${string}`;

/**
 * Builds the error of a file or an array.
 *
 * @param code    stable code, `DATA-…`
 * @param where   file or function concerned
 * @param message what is wrong, with the numbers, one sentence
 * @param fix     the remedy, one imperative sentence
 */
export function dataError(
  code: DataErrorCode,
  where: string,
  message: string,
  fix: string,
  detail: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): EngineError {
  return new EngineError({ code, message, fix, where, detail, ...(cause === undefined ? {} : { cause }) });
}

/** @throws EngineError DATA-OPTION unless `value` is an integer in `[min, max]`. */
export function assertInteger(where: string, option: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw dataError(
    "DATA-OPTION",
    where,
    `${option} is ${value}, which is not an integer from ${min} to ${max}.`,
    `Give ${option} an integer from ${min} to ${max}.`,
    { option, value, min, max },
  );
}

/** @throws EngineError DATA-OPTION unless `value` is finite and at least `min`. */
export function assertFinite(where: string, option: string, value: number, min = Number.NEGATIVE_INFINITY): void {
  if (Number.isFinite(value) && value >= min) return;
  const wanted = min === Number.NEGATIVE_INFINITY ? "a finite number" : `a finite number of at least ${min}`;
  throw dataError("DATA-OPTION", where, `${option} is ${value}, which is not ${wanted}.`, `Give ${option} ${wanted}.`, {
    option,
    value,
  });
}
