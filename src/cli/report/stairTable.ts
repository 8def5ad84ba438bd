/** The detected steps of a network run as text. */
import { alignColumns, formatNumber } from "../../report/format.ts";
import { type Staircase, staircaseSentence } from "../../report/staircase.ts";

/** Lines of the table, a summary below. */
export function stairTable(staircase: Staircase): string[] {
  const rows = staircase.stairs.map(({ time, plateau, isAccepted }, index) => [
    String(index + 1),
    time === null ? "never" : formatNumber(time, 4),
    formatNumber(plateau, 3),
    isAccepted ? "step" : "",
  ]);
  return [...alignColumns([["mode", "step + 1", "plateau", ""], ...rows]), "", staircaseSentence(staircase)];
}
