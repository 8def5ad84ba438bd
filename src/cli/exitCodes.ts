/** Exit codes of the command. Zero only on success. */
import { isEngineError } from "../errors.ts";

export const EXIT = {
  ok: 0,
  /** Something failed; the error line names the code and the remedy. */
  error: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** NaN or infinity appeared; what was recorded is kept. */
  diverged: 3,
  /** SIGINT, SIGTERM or SIGHUP; what was recorded is kept. */
  interrupted: 130,
} as const;

/** Usage errors are exactly those whose code starts with `CLI-USAGE`. */
export function exitCodeOf(error: unknown): number {
  return isEngineError(error) && error.code.startsWith("CLI-USAGE") ? EXIT.usage : EXIT.error;
}
