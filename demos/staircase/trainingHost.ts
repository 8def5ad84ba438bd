/**
 * The worker's side of the page: one loop that does one thing at a time, so that commands may come in any order and at any time. Nothing
 * here waits for frames; a page in the background trains on.
 */
import { Engine } from "../../src/device/engine.ts";
import { type EngineErrorInit, isEngineError } from "../../src/errors.ts";
import type { Advance } from "../../src/train/trainer.ts";
import type { Command, Report, RunState } from "./messages.ts";
import { openSession, type Session } from "./session.ts";

/** GPU time that one submit aims at: short enough for frames in between and for a prompt pause. */
const TARGET_SUBMIT_MS = 16;
/** One executes while the next is encoded. */
const SUBMITS_IN_FLIGHT = 2;
/** Pause between looks at the clock when the rate is limited. */
const TICK_MS = 8;

type Preparation = Extract<Command, { readonly type: "prepare" }>;

interface Pending {
  readonly result: Promise<Advance>;
  readonly updates: number;
  readonly submittedAt: number;
}

export class TrainingHost {
  readonly #send: (report: Report, transfer: readonly ArrayBuffer[]) => void;
  readonly #requestEngine: () => Promise<Engine>;
  #engine: Engine | undefined;
  #session: Session | undefined;
  #generation = 0;
  /** What was asked for and not yet done. */
  #wanted: Preparation | undefined;
  #resetTo: number | undefined;
  #singleSteps = 0;
  #isRunning = false;
  #until = 0;
  #announced: RunState = "paused";
  #rate = Number.POSITIVE_INFINITY;
  #wake: () => void = () => {};
  /** Where the present rate began: a time and a step. */
  #pace = { since: 0, step: 0 };
  #pending: Pending[] = [];
  #perSubmit = 1;
  #previousCompletion = 0;
  /** Records delivered; a look after a pause must not deliver the next record twice. */
  #delivered = 0;

  constructor(
    send: (report: Report, transfer: readonly ArrayBuffer[]) => void,
    requestEngine: () => Promise<Engine> = () => Engine.request({ label: "staircase" }),
  ) {
    this.#send = send;
    this.#requestEngine = requestEngine;
    void this.#loop();
  }

  receive(command: Command): void {
    switch (command.type) {
      case "prepare":
        this.#wanted = command;
        this.#resetTo = undefined;
        this.#stop();
        break;
      case "reset":
        this.#resetTo = command.generation;
        this.#stop();
        break;
      case "run":
        this.#isRunning = true;
        this.#until = command.until;
        this.#restartPace();
        break;
      case "pause":
        this.#isRunning = false;
        break;
      case "step":
        this.#singleSteps++;
        break;
      case "rate":
        this.#rate = command.stepsPerSecond;
        this.#restartPace();
        break;
    }
    this.#wake();
  }

  #stop(): void {
    this.#isRunning = false;
    this.#singleSteps = 0;
  }

  #restartPace(): void {
    this.#pace = { since: performance.now(), step: this.#session?.trainer.step ?? 0 };
  }

  async #loop(): Promise<never> {
    for (;;) {
      try {
        await this.#next();
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  /** The most urgent thing to do, or a wait for a command. */
  async #next(): Promise<void> {
    const session = this.#session;
    if (this.#wanted) return this.#prepare(this.#wanted);
    if (session && this.#resetTo !== undefined) return this.#reset(session, this.#resetTo);
    if (session && this.#isRunning) return this.#run(session);
    if (session && this.#announced === "running") return this.#rest(session, "paused");
    if (session && this.#singleSteps > 0) return this.#single(session);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  async #prepare(wanted: Preparation): Promise<void> {
    this.#wanted = undefined;
    await this.#drain(false);
    this.#session?.release();
    this.#session = undefined;
    this.#generation = wanted.generation;
    const engine = this.#engine ?? (await this.#open());
    const { generation } = wanted;
    const session = await openSession(engine, wanted.config, {
      phase: (text) => this.#send({ type: "phase", generation, text }, []),
      facts: (facts) => this.#send({ type: "predicted", generation, facts }, []),
    });
    if (this.#wanted) return session.release();
    this.#session = session;
    this.#perSubmit = 1;
    this.#send({ type: "ready", generation, gpuBytes: session.gpuBytes }, []);
    await this.#begin(session);
  }

  async #open(): Promise<Engine> {
    this.#send({ type: "phase", generation: this.#generation, text: "Looking for a GPU" }, []);
    const engine = await this.#requestEngine();
    this.#engine = engine;
    void engine.lost.then((error) => {
      if (this.#engine !== engine) return;
      this.#engine = undefined;
      this.#fail(error);
      this.#wake();
    });
    return engine;
  }

  async #reset(session: Session, generation: number): Promise<void> {
    this.#resetTo = undefined;
    await this.#drain(false);
    this.#generation = generation;
    session.reset();
    await this.#begin(session);
  }

  /** Delivers the record of step 0. */
  async #begin(session: Session): Promise<void> {
    this.#delivered = 0;
    this.#restartPace();
    await this.#rest(session, "paused");
  }

  async #single(session: Session): Promise<void> {
    this.#singleSteps--;
    if (this.#announced === "diverged") return;
    this.#deliver(await session.trainer.advance(1));
    await this.#rest(session, "paused");
  }

  async #run(session: Session): Promise<void> {
    this.#announce("running");
    const { trainer } = session;
    const left = this.#until - trainer.step;
    if (left <= 0) {
      this.#isRunning = false;
      return this.#rest(session, "finished");
    }
    const updates = Math.min(this.#due(trainer.step), left, this.#perSubmit, trainer.maxUpdates);
    if (updates < 1) {
      if (this.#pending.length > 0) return this.#collect();
      return new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    const result = trainer.advance(updates);
    // A failure is met where the result is awaited; of two that fail together the second would count as unhandled.
    result.catch(() => {});
    this.#pending.push({ result, updates, submittedAt: performance.now() });
    if (this.#pending.length === SUBMITS_IN_FLIGHT) await this.#collect();
  }

  /** Updates that the rate allows by now. */
  #due(step: number): number {
    // Clocks may stand still for a millisecond and more, and 0 × ∞ is no number.
    if (this.#rate === Number.POSITIVE_INFINITY) return this.#rate;
    return Math.floor(((performance.now() - this.#pace.since) / 1000) * this.#rate) - (step - this.#pace.step);
  }

  /** Waits for the oldest submit and learns from it how many updates the next may have. */
  async #collect(): Promise<void> {
    const oldest = this.#pending.shift();
    if (!oldest) return;
    const advance = await oldest.result;
    const now = performance.now();
    const elapsed = Math.max(now - Math.max(this.#previousCompletion, oldest.submittedAt), 0.1);
    this.#previousCompletion = now;
    const wanted = Math.min((oldest.updates * TARGET_SUBMIT_MS) / elapsed, 2 * this.#perSubmit);
    this.#perSubmit = Math.max(1, Math.floor(wanted));
    this.#deliver(advance);
    if (advance.nonfiniteStep !== undefined) {
      this.#isRunning = false;
      await this.#drain(false);
      this.#announce("diverged");
    }
  }

  /** Nothing in flight, the present state delivered and the state announced. */
  async #rest(session: Session, state: RunState): Promise<void> {
    await this.#drain(true);
    if (this.#announced === "diverged" && session.trainer.step > 0) return;
    this.#deliver(await session.trainer.look());
    this.#announced = state;
    this.#send({ type: "state", generation: this.#generation, state }, []);
  }

  async #drain(isWanted: boolean): Promise<void> {
    while (this.#pending.length > 0) {
      if (isWanted) await this.#collect();
      else await this.#pending.shift()?.result.catch(() => {});
    }
  }

  #deliver({ records, nonfiniteStep }: Advance): void {
    const fresh = records.filter(
      ({ step }) => step >= this.#delivered && (nonfiniteStep === undefined || step < nonfiniteStep),
    );
    const [first] = fresh;
    if (!first) return;
    const losses = Float32Array.from(fresh, ({ loss }) => loss);
    const d = first.spectrum.length;
    const spectra = new Float32Array(fresh.length * d);
    fresh.forEach(({ spectrum }, index) => {
      spectra.set(spectrum, index * d);
    });
    this.#delivered = first.step + fresh.length;
    this.#send({ type: "records", generation: this.#generation, firstStep: first.step, losses, spectra }, [
      losses.buffer,
      spectra.buffer,
    ]);
  }

  #announce(state: RunState): void {
    if (this.#announced === state) return;
    this.#announced = state;
    this.#send({ type: "state", generation: this.#generation, state }, []);
  }

  /** The run is over: what it held on the device goes, and the page may prepare another. */
  #fail(error: unknown): void {
    this.#stop();
    this.#pending = [];
    this.#announced = "paused";
    try {
      this.#session?.release();
    } finally {
      this.#session = undefined;
      const wasLost = isEngineError(error) && error.code.startsWith("DEVICE-");
      if (wasLost) this.#engine = undefined;
      this.#send({ type: "failed", generation: this.#generation, error: plain(error) }, []);
    }
  }
}

function plain(error: unknown): EngineErrorInit {
  if (isEngineError(error)) return error.toJSON();
  return {
    code: "DEMO-DEFECT",
    message: error instanceof Error ? error.message : String(error),
    fix: "This is a defect in eigenstep; reset to try again, and please report it.",
  };
}
