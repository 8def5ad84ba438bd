/** How a failure looks on stderr: `error CODE: message`, and the remedy on the next line. */
import { type EngineError, isEngineError } from "../errors.ts";

/** Both lines, with a final line break. Anything that is no EngineError is a defect of ours and says so. */
export function errorText(error: unknown, isDebug = false): string {
  if (isEngineError(error))
    return `error ${error.code}: ${plain(error)}\nfix: ${error.fix}\n${isDebug ? trace(error) : ""}`;
  const message = error instanceof Error ? error.message : String(error);
  return (
    `error CLI-DEFECT: ${oneLine(message)}\n` +
    "fix: This is a defect in eigenstep; please report it with the output of the same command run with EIGENSTEP_DEBUG=1.\n" +
    (isDebug ? trace(error) : "")
  );
}

function plain(error: EngineError): string {
  return error.message.trimEnd();
}

function oneLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

function trace(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const cause = error.cause === undefined ? "" : `caused by ${trace(error.cause) || String(error.cause)}`;
  return `${error.stack ?? ""}\n${cause}`;
}
