/** Progress of a run on stderr: a bar on a terminal, plain lines elsewhere. Knows nothing of how the run is executed. */
import { Presets, SingleBar } from "cli-progress";
import { adapterLine } from "../device/adapter.ts";
import type { MetricsRecord, RunHeader } from "../experiments/contract.ts";
import { formatDuration, formatNumber } from "../report/format.ts";
import type { Output } from "./context.ts";

export interface Progress {
  /** A phase before or after training, for people. */
  phase(text: string): void;
  begin(header: RunHeader): void;
  record(record: MetricsRecord): void;
  /** Removes or completes what is on the screen; nothing is written afterwards. */
  end(): void;
}

interface ProgressOptions {
  /** Milliseconds, monotonic. */
  readonly clock?: () => number;
  /** Least time between two plain lines. */
  readonly plainEveryMs?: number;
}

/** A bar with steps/s, time left, loss and eigenvalues learned when `output` is a terminal, otherwise plain lines without control codes. */
export function createProgress(output: Output, options: ProgressOptions = {}): Progress {
  const clock = options.clock ?? (() => performance.now());
  return output.isTTY ? barProgress(output, clock) : plainProgress(output, clock, options.plainEveryMs ?? 5000);
}

/** For --quiet. */
export const silentProgress: Progress = { phase() {}, begin() {}, record() {}, end() {} };

/** Lines shown once, before the first step: adapter, a warning when it is software, and the plan. */
export function headerLines(header: RunHeader): string[] {
  const lines = [`adapter: ${adapterLine(header.adapter)}`];
  if (header.adapter.isSoftware) {
    lines.push("warning: no GPU was found, the CPU does the work (software adapter); a GPU is many times faster");
  }
  return [...lines, ...header.description.split("\n").filter(Boolean)];
}

function lastStep({ config, steps }: RunHeader): number {
  return steps ?? config.steps;
}

/** What both kinds of progress compute from the records. */
class Pace {
  readonly #clock: () => number;
  readonly #steps: number;
  readonly #start: number;
  readonly #firstStep: number;
  readonly #learnedFrom: number | undefined;

  constructor(header: RunHeader, clock: () => number) {
    this.#clock = clock;
    this.#steps = lastStep(header);
    this.#firstStep = header.firstStep ?? 0;
    this.#learnedFrom = header.learnedFrom;
    this.#start = clock();
  }

  at(record: MetricsRecord) {
    const seconds = (this.#clock() - this.#start) / 1000;
    const rate = seconds > 0 ? (record.step - this.#firstStep) / seconds : 0;
    return {
      rate: rate > 0 ? formatNumber(rate, 3) : "-",
      left: rate > 0 ? formatDuration((this.#steps - record.step) / rate) : "-",
      loss: formatNumber(record.loss, 4),
      learned: this.#learned(record),
    };
  }

  /**
   * How many eigenvalues are learned, or the largest ones where it is not known from when on they count; of runs on latent trees the
   * correlations with the latents, root first.
   */
  #learned({ spectrum, extra }: MetricsRecord): string {
    const from = this.#learnedFrom;
    const correlation = extra?.correlation;
    if (Array.isArray(correlation)) {
      return `correlations ${correlation.map((value: number) => value.toFixed(2)).join(" ")}`;
    }
    if (from !== undefined) {
      return `${spectrum.filter((value) => value >= from).length} of ${spectrum.length} eigenvalues learned`;
    }
    const largest = spectrum.slice(0, 4).map((value) => formatNumber(value, 2));
    return largest.length === 0 ? "" : `eigenvalues ${largest.join(" ")}${spectrum.length > 4 ? " …" : ""}`;
  }
}

function plainProgress(output: Output, clock: () => number, everyMs: number): Progress {
  let pace: Pace | undefined;
  let steps = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  return {
    phase(text) {
      output.write(`${text}\n`);
    },
    begin(header) {
      for (const line of headerLines(header)) output.write(`${line}\n`);
      pace = new Pace(header, clock);
      steps = lastStep(header);
      lastMs = clock();
    },
    record(record) {
      if (!pace || (clock() - lastMs < everyMs && record.step !== steps)) return;
      lastMs = clock();
      const { rate, left, loss, learned } = pace.at(record);
      output.write(`step ${record.step}/${steps}  ${rate} steps/s  ${left} left  loss ${loss}  ${learned}\n`);
    },
    end() {},
  };
}

function barProgress(output: Output, clock: () => number): Progress {
  let bar: SingleBar | undefined;
  let pace: Pace | undefined;
  let phaseShown = false;
  const clearPhase = () => {
    if (phaseShown) output.write("\r\x1b[K");
    phaseShown = false;
  };
  return {
    phase(text) {
      bar?.stop();
      bar = undefined;
      clearPhase();
      output.write(`${text} …`);
      phaseShown = true;
    },
    begin(header) {
      clearPhase();
      for (const line of headerLines(header)) output.write(`${line}\n`);
      pace = new Pace(header, clock);
      bar = new SingleBar(
        {
          stream: output as NodeJS.WritableStream,
          format: "{bar} {value}/{total}  {rate} steps/s  {left} left  loss {loss}  {learned}",
          barsize: 16,
          fps: 10,
          hideCursor: true,
          // What is drawn must survive narrow terminals: the bar is one line.
          linewrap: false,
          // Ctrl-C belongs to the command, which ends the run cleanly.
          gracefulExit: false,
        },
        Presets.shades_classic,
      );
      bar.start(lastStep(header), 0, { rate: "-", left: "-", loss: "-", learned: "" });
    },
    record(record) {
      if (bar && pace) bar.update(record.step, pace.at(record));
    },
    end() {
      bar?.stop();
      bar = undefined;
      clearPhase();
    },
  };
}
