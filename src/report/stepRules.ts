/** Step times as vertical lines: predicted by a theory, or detected in the recorded spectrum. */
import type { Figure, FigureRun, TheoryName } from "./figure.ts";
import type { Look, Rule } from "./panel.ts";

export const RULE: Look = { stroke: "#777", width: 1 };
/** Dashes of predicted steps, and of those that are not held to, or not accepted. A detected and accepted step has a solid line. */
export const PREDICTED = "4 3";
export const FAINT = "1 4";

/** Whether the predicted step times are drawn as vertical lines. */
export function hasPredictedRules(figure: Figure): boolean {
  return figure.theories.some((theory) => predictedRules(figure, theory).length > 0);
}

/** The predicted step times; of several runs only when they have the same. */
export function predictedRules(figure: Figure, theory: TheoryName): Rule[] {
  const known = figure.runs.map(({ run }) => (theory === "flow" ? run.steps?.flow : run.steps?.discrete));
  const [first] = known;
  const steps = figure.runs[0]?.run.steps;
  if (!first || !steps || !known.every((times) => times && areEqual(times, first))) return [];
  return first.flatMap((t, mode) => {
    const isHeld = steps.admitted[mode];
    const label = `${isHeld ? "" : "~"}${mode + 1}`;
    return t === null ? [] : [{ t, label, dash: isHeld ? PREDICTED : FAINT, isFaint: !isHeld }];
  });
}

/** The steps found in a run, those that were not accepted in parentheses. */
export function detectedRules({ stairs = [] }: FigureRun): Rule[] {
  return stairs.map(({ t, mode, isAccepted }) =>
    isAccepted ? { t, label: String(mode), isFaint: false } : { t, label: `(${mode})`, dash: FAINT, isFaint: true },
  );
}

function areEqual(a: readonly (number | null)[], b: readonly (number | null)[]): boolean {
  return (
    a.length === b.length &&
    a.every((value, index) => Math.abs((value ?? -1) - (b[index] ?? -1)) <= 1e-6 * (value ?? 1))
  );
}
