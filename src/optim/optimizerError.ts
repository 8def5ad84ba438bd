/** The one way an optimiser's options fail. */
import { EngineError } from "../errors.ts";

/** CONFIG-OPTIMIZER, naming the option, its value and what it may be. */
export function optimizerError(where: string, message: string, fix: string): EngineError {
  return new EngineError({ code: "CONFIG-OPTIMIZER", message: `Optimiser: ${message}`, fix, where });
}
