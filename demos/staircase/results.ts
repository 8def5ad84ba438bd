/** Read-outs and the table of step times. */
import { adapterLine } from "../../src/device/adapter.ts";
import { relativeErrors } from "../../src/theory/index.ts";
import { block, setText } from "./elements.ts";
import type { History } from "./history.ts";
import type { RunFacts } from "./messages.ts";
import { bytes, percent, shortNumber } from "./numbers.ts";
import { modeColor } from "./palette.ts";

/** Time over which steps a second are counted. */
const RATE_WINDOW_MS = 1000;

export class Results {
  #rows: { readonly measured: HTMLElement; readonly error: HTMLElement }[] = [];
  #predicted: readonly (number | null)[] = [];
  #marks: { readonly at: number; readonly step: number }[] = [];

  showAdapter({ adapter }: RunFacts): void {
    const target = block("adapter");
    const line = adapterLine({ ...adapter, isSoftware: false });
    target.replaceChildren();
    if (adapter.isSoftware) {
      const warning = document.createElement("strong");
      warning.textContent = "Software adapter, no GPU: slow";
      target.append(warning);
    }
    target.append(line);
    target.hidden = false;
  }

  /** A new run: predictions filled in, measurements empty. */
  begin(facts: RunFacts, history: History): void {
    const { theory } = facts;
    this.#predicted = theory.discreteStepTimes;
    this.#rows = [];
    const rows = theory.discreteStepTimes.map((time, j) => {
      const row = document.createElement("tr");
      const isBound = theory.gapAdmits[j] === true;
      row.classList.toggle("unbound", !isBound);
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = modeColor(j, history.d);
      const cell = (text: string) => {
        const made = row.insertCell();
        made.textContent = text;
        return made;
      };
      cell(String(j + 1)).prepend(swatch);
      cell(shortNumber(theory.gamma[j], 3));
      cell(time === null ? "never" : `${isBound ? "" : "~ "}${shortNumber(time)}`);
      this.#rows.push({ measured: cell("–"), error: cell("") });
      return row;
    });
    block("steps").replaceChildren(...rows);
    block("table-note").hidden = !theory.discreteStepTimes.some((time, j) => time !== null && !theory.gapAdmits[j]);
    setText(block("plan"), facts.description);
    this.restart();
  }

  showMemory(gpuBytes: number): void {
    setText(block("out-memory"), bytes(gpuBytes));
  }

  restart(): void {
    this.#marks = [];
    for (const { measured, error } of this.#rows) {
      setText(measured, "–");
      setText(error, "");
    }
  }

  update(history: History, horizon: number, isRunning: boolean): void {
    const step = history.count - 1;
    if (step < 0) return;
    fraction(block("out-step"), step.toLocaleString("en"), `/ ${horizon.toLocaleString("en")}`);
    setText(block("out-t"), shortNumber(step * history.timePerStep));
    setText(block("out-loss"), shortNumber(history.loss(step), 5));
    fraction(block("out-learned"), String(history.learned), `of ${history.d}`);
    setText(block("out-rate"), isRunning ? this.#rate(step) : "–");
    const errors = relativeErrors(history.stepTimes, this.#predicted);
    history.stepTimes.forEach((time, j) => {
      const row = this.#rows[j];
      if (!row || time === null) return;
      setText(row.measured, shortNumber(time));
      setText(row.error, percent(errors[j] ?? null));
    });
  }

  #rate(step: number): string {
    const now = performance.now();
    this.#marks.push({ at: now, step });
    while ((this.#marks[0]?.at ?? now) < now - RATE_WINDOW_MS) this.#marks.shift();
    const [first] = this.#marks;
    return first && now > first.at + 100 ? shortNumber((1000 * (step - first.step)) / (now - first.at), 3) : "–";
  }
}

/** A number and, smaller, what it is part of. */
function fraction(target: HTMLElement, value: string, whole: string): void {
  if (target.childElementCount === 0) {
    target.replaceChildren(document.createTextNode(""), document.createElement("small"));
  }
  const [text, small] = target.childNodes;
  if (text && text.nodeValue !== `${value} `) text.nodeValue = `${value} `;
  if (small && small.textContent !== whole) small.textContent = whole;
}
