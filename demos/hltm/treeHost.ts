/** One run at a time, advanced by the page's commands: trains some updates, looks at the network, reports, again. Lives in the worker. */
import { Engine } from "../../src/device/engine.ts";
import { isEngineError } from "../../src/errors.ts";
import { CellRun, planCell } from "../../src/experiments/hltm/cellRun.ts";
import { cellsOf } from "../../src/experiments/hltm/cells.ts";
import type { HltmConfig } from "../../src/experiments/hltm/config.ts";
import { nodeCorrelations } from "../../src/experiments/hltm/measures.ts";
import { beliefCeiling, latentCount, nodeCount, polarityAbove } from "../../src/theory/index.ts";
import { dispatchCounts } from "../../src/train/trainingStep.ts";
import type { Command, Report, RunState } from "./messages.ts";

/** Outcomes that beliefs are merged into: a ceiling to four digits, in a moment. */
const CEILING_OUTCOMES = 256;

interface Run {
  readonly generation: number;
  readonly config: HltmConfig;
  readonly cell: CellRun;
  /** Measurements so far: each has samples of its own. */
  looks: number;
  isRunning: boolean;
}

export class TreeHost {
  readonly #tell: (report: Report) => void;
  #engine: Engine | undefined;
  #run: Run | undefined;
  #generation = 0;
  /** Commands one after another: what is on the GPU is finished before the next begins. */
  #last: Promise<void> = Promise.resolve();

  constructor(tell: (report: Report) => void) {
    this.#tell = tell;
  }

  receive(command: Command): void {
    if (command.type === "prepare") this.#generation = command.generation;
    // Ends a loop that would otherwise hold up what comes after it.
    if (this.#run && command.type !== "run") this.#run.isRunning = false;
    const { generation } = command.type === "prepare" ? command : { generation: this.#generation };
    this.#last = this.#last.then(async () => {
      try {
        await this.#obey(command);
      } catch (error) {
        if (generation === this.#generation) this.#fail(generation, error);
      }
    });
  }

  async #obey(command: Command): Promise<void> {
    if (command.type === "prepare") {
      if (command.generation === this.#generation) await this.#prepare(command.generation, command.config);
      return;
    }
    const run = this.#run;
    if (!run || run.generation !== this.#generation || this.#isOver(run)) return;
    if (command.type === "step") {
      await this.#advance(run, 1);
      this.#enter(run, this.#isOver(run) ? "finished" : "paused");
    } else if (command.type === "run") {
      run.isRunning = true;
      this.#enter(run, "running");
      this.#enter(run, await this.#train(run));
    }
  }

  /** Until a command that came meanwhile has ended it: such commands wait in the queue behind this one. */
  async #train(run: Run): Promise<RunState> {
    while (run.isRunning && run.generation === this.#generation) {
      if (!(await this.#advance(run, run.config.record.every))) return "diverged";
      if (this.#isOver(run)) return "finished";
    }
    return "paused";
  }

  #isOver({ cell, config }: Run): boolean {
    return cell.step >= config.steps;
  }

  /** @returns false when the loss is no longer finite */
  async #advance(run: Run, updates: number): Promise<boolean> {
    const until = Math.min(run.cell.step + updates, run.config.steps);
    const bad = await run.cell.train(until, new AbortController().signal, Number.POSITIVE_INFINITY);
    if (bad !== undefined) return false;
    await this.#look(run);
    return true;
  }

  async #look(run: Run): Promise<void> {
    const { trees, training } = run.cell.plans;
    const loss = await run.cell.loss();
    const raw = await run.cell.measure(run.looks++);
    const [correlations] = nodeCorrelations(raw, { trees, parameters: training.parameters });
    if (run.generation !== this.#generation) return;
    this.#tell({
      type: "look",
      generation: run.generation,
      step: run.cell.step,
      loss,
      correlations: Array.from(correlations ?? []),
    });
  }

  async #prepare(generation: number, config: HltmConfig): Promise<void> {
    const phase = (text: string) => this.#tell({ type: "phase", generation, text });
    this.#run?.cell.destroy();
    this.#run = undefined;
    if (!this.#engine) {
      phase("Looking for a GPU …");
      const engine = await Engine.request({ label: "latent tree" });
      this.#engine = engine;
      void engine.lost.then((error) => {
        if (this.#engine !== engine) return;
        this.#engine = undefined;
        this.#run = undefined;
        this.#fail(this.#generation, error);
      });
    }
    const [only] = cellsOf(config);
    if (!only) return;
    const plans = planCell(this.#engine, config, only);
    const [tree] = plans.trees;
    if (!tree) return;
    const ceiling = beliefCeiling(tree, { outcomes: CEILING_OUTCOMES });
    this.#tell({
      type: "tree",
      generation,
      facts: {
        adapter: this.#engine.adapter,
        polarities: Array.from({ length: nodeCount(tree) - 1 }, (_, edge) => polarityAbove(tree, edge + 1)),
        ceiling: Array.from(ceiling).slice(0, latentCount(tree)),
        dispatches: dispatchCounts(plans.trainingPlan).withoutRecord,
      },
    });
    phase("Compiling the training step …");
    const cell = await CellRun.create(this.#engine, config, plans);
    const run: Run = { generation, config, cell, looks: 0, isRunning: false };
    this.#run = run;
    if (generation !== this.#generation) return;
    await this.#look(run);
    this.#enter(run, "paused");
  }

  #enter(run: Run, state: RunState): void {
    if (run.generation === this.#generation) this.#tell({ type: "state", generation: run.generation, state });
  }

  #fail(generation: number, error: unknown): void {
    if (this.#run) this.#run.isRunning = false;
    const init = isEngineError(error)
      ? error.toJSON()
      : {
          code: "DEMO-DEFECT",
          message: error instanceof Error ? error.message : String(error),
          fix: "This is a defect in eigenstep; try again, and please report it.",
        };
    this.#tell({ type: "failed", generation, error: init });
  }
}
