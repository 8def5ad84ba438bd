/** The page: settings in, commands to the worker, records to the panels. All training is in the worker; this thread only draws. */
import { Charts, type Pointed } from "./charts.ts";
import { block, button, setText } from "./elements.ts";
import { History } from "./history.ts";
import type { Command, Report, RunFacts, RunState } from "./messages.ts";
import { missingWebGpu, noticeFor, showNotice } from "./notices.ts";
import { shortNumber } from "./numbers.ts";
import { Results } from "./results.ts";
import { defaults, fromHash, type Settings, toConfig, toHash } from "./settings.ts";
import { SettingsForm } from "./settingsForm.ts";

/** A run that is started again at its end goes on for half as long. */
const EXTENSION = 1.5;
/** Step of the page's memory: beyond it recording would fill the tab. */
const MAX_STEPS = 200_000;
/** Where values are shown once a panel is pointed at. */
const POINTING_HINT = block("pointed").textContent ?? "";
/** Settings that change what is drawn or how fast, but not the run. */
const VIEW_FIELDS: readonly string[] = ["rate", "log-t", "log-lambda"];

type PageState = RunState | "preparing" | "failed";

class Page {
  #settings: Settings;
  readonly #form: SettingsForm;
  readonly #charts: Charts;
  readonly #results = new Results();
  #worker: Worker | undefined;
  #generation = 0;
  #facts: RunFacts | undefined;
  #history: History | undefined;
  #horizon = 0;
  #state: PageState = "preparing";
  /** Start was pressed before the run was ready. */
  #startWhenReady = false;
  #isDirty = false;

  constructor() {
    const { settings, ignored } = fromHash(location.hash);
    this.#settings = settings;
    this.#form = new SettingsForm(settings, (changed, field) => this.#change(changed, field));
    this.#charts = new Charts(block("loss-chart"), block("spectrum-chart"), (pointed) => this.#point(pointed));
    button("start").onclick = () => this.#toggle();
    button("step").onclick = () => this.#send({ type: "step" });
    button("reset").onclick = () => this.#reset();
    button("copy").onclick = () => void this.#copyLink();
    button("defaults").onclick = () => this.#adopt({ ...defaults(this.#settings.preset), rate: this.#settings.rate });
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("hashchange", () => this.#readAddress());
    block("status").querySelector(".stuck")?.remove();

    const missing = missingWebGpu();
    if (missing) {
      showNotice(missing);
      this.#enter("failed");
      return;
    }
    if (ignored.length > 0) this.#noteIgnored(ignored);
    this.#prepare();
    const frame = () => {
      this.#draw();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    performance.mark("interactive");
  }

  // Commands

  #send(command: Command): void {
    this.#worker?.postMessage(command);
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "training" });
    worker.onmessage = ({ data }: MessageEvent<Report>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const message = event.message || "its script could not be loaded";
      this.#fail({
        code: "DEMO-WORKER",
        message: `The training worker stopped: ${message}`,
        fix: "Try again, or reload the page.",
      });
    };
    this.#worker = worker;
    return worker;
  }

  #prepare(): void {
    if (!this.#worker) {
      this.#startWorker();
      this.#sendRate();
    }
    this.#generation++;
    this.#enter("preparing");
    this.#send({ type: "prepare", generation: this.#generation, config: toConfig(this.#settings) });
  }

  #sendRate(): void {
    const { rate } = this.#settings;
    this.#send({ type: "rate", stepsPerSecond: rate === 0 ? Number.POSITIVE_INFINITY : rate });
  }

  #toggle(): void {
    if (this.#state === "running") {
      this.#send({ type: "pause" });
      return;
    }
    if (this.#state === "preparing") {
      this.#startWhenReady = !this.#startWhenReady;
      this.#enter("preparing");
      return;
    }
    const { count = 0 } = this.#history ?? {};
    if (count > this.#horizon) {
      this.#horizon = Math.min(Math.ceil(EXTENSION * this.#horizon), MAX_STEPS);
      this.#charts.extendTo(this.#horizon);
    }
    this.#send({ type: "run", until: this.#horizon });
  }

  #reset(): void {
    showNotice(undefined);
    this.#startWhenReady = false;
    if (!this.#facts || !this.#history || this.#state === "failed" || this.#state === "preparing") {
      this.#prepare();
      return;
    }
    this.#generation++;
    this.#horizon = this.#facts.horizon;
    this.#history = new History(this.#history.d, this.#history.timePerStep);
    this.#charts.show(this.#facts, this.#history, this.#settings.lr, this.#settings);
    this.#results.restart();
    this.#send({ type: "reset", generation: this.#generation });
  }

  #key(event: KeyboardEvent): void {
    const isElsewhere = event.target instanceof Element && event.target.closest("input, select, button, a, [tabindex]");
    if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    const pressed = { " ": "start", ArrowRight: "step", r: "reset", R: "reset" }[event.key];
    if (!pressed) return;
    event.preventDefault();
    button(pressed).click();
  }

  // Settings

  #change(settings: Settings, field: string): void {
    this.#settings = settings;
    history.replaceState(null, "", toHash(settings));
    if (field === "rate") this.#sendRate();
    if (field.startsWith("log-")) this.#charts.setScales(settings);
    if (VIEW_FIELDS.includes(field)) return;
    showNotice(undefined);
    this.#startWhenReady = false;
    this.#prepare();
  }

  #adopt(settings: Settings): void {
    this.#form.show(settings);
    this.#sendRate();
    this.#charts.setScales(settings);
    this.#change(settings, "");
  }

  #readAddress(): void {
    if (location.hash === toHash(this.#settings)) return;
    const { settings, ignored } = fromHash(location.hash);
    this.#adopt(settings);
    if (ignored.length > 0) this.#noteIgnored(ignored);
  }

  #noteIgnored(ignored: readonly string[]): void {
    showNotice({
      title: "A part of the address was not understood.",
      text: `Ignored: ${ignored.join(", ")}.`,
      fix: "The settings shown are those that are used.",
    });
  }

  async #copyLink(): Promise<void> {
    history.replaceState(null, "", toHash(this.#settings));
    const copied = await navigator.clipboard?.writeText(location.href).then(
      () => true,
      () => false,
    );
    setText(button("copy"), copied ? "Copied" : "The link is in the address bar");
    setTimeout(() => setText(button("copy"), "Copy link to these settings"), 2500);
  }

  // Reports

  #receive(report: Report): void {
    if (report.generation !== this.#generation) return;
    switch (report.type) {
      case "phase":
        setText(block("status-text"), `${report.text} …`);
        break;
      case "predicted":
        this.#begin(report.facts);
        break;
      case "ready":
        this.#results.showMemory(report.gpuBytes);
        performance.mark("ready");
        if (this.#startWhenReady) this.#send({ type: "run", until: this.#horizon });
        this.#startWhenReady = false;
        break;
      case "records":
        this.#history?.append(report);
        this.#isDirty = true;
        break;
      case "state":
        this.#enter(report.state);
        break;
      case "failed":
        this.#fail(report.error);
        break;
    }
  }

  #begin(facts: RunFacts): void {
    const { d, lr } = this.#settings;
    this.#facts = facts;
    this.#horizon = facts.horizon;
    this.#history = new History(d, lr);
    this.#results.showAdapter(facts);
    this.#results.begin(facts, this.#history);
    this.#charts.show(facts, this.#history, lr, this.#settings);
    this.#form.showBound(facts.theory.learningRateBound);
  }

  #fail(error: Parameters<typeof noticeFor>[0]): void {
    this.#startWhenReady = false;
    this.#enter("failed");
    if (error.code !== "THEORY-LR-BOUND") {
      showNotice(noticeFor(error, () => this.#reset()));
      return;
    }
    const { bound, suggested, learningRate } = error.detail as Record<"bound" | "suggested" | "learningRate", number>;
    this.#form.showBound(bound);
    const message = `${shortNumber(learningRate)} is not below the bound: gradient descent could not settle on the solution that theory predicts.`;
    this.#form.showFault({ key: "lr", message });
    showNotice({
      title: "The learning rate is too large.",
      text: `It must be below 1/(4γ₁) = ${shortNumber(bound)}.`,
      fix: `${shortNumber(suggested)} follows the theory closely.`,
      action: { label: `Use ${shortNumber(suggested)}`, run: () => this.#adopt({ ...this.#settings, lr: suggested }) },
    });
  }

  #enter(state: PageState): void {
    this.#state = state;
    this.#isDirty = true;
    const isReady = state === "paused" || state === "finished";
    const labels: Partial<Record<PageState, string>> = {
      running: "Pause",
      finished: "Go on",
      preparing: this.#startWhenReady ? "Starting …" : "Start",
    };
    setText(button("start"), labels[state] ?? "Start");
    button("start").disabled = state === "failed" || state === "diverged";
    button("step").disabled = !isReady;
    button("reset").disabled = state === "failed" && !("gpu" in navigator);
    const texts = {
      preparing: "Preparing …",
      running: "Training",
      paused: (this.#history?.count ?? 0) > 1 ? "Paused" : "Ready: press Start",
      finished: "Every predicted step is over",
      diverged: "The loss became infinite: training stopped",
      failed: "Not running",
    };
    setText(block("status-text"), texts[state]);
    document.body.dataset.state = state;
    this.#describePanels();
  }

  /** The panels in words, for those who do not see them. */
  #describePanels(): void {
    const run = this.#history;
    if (!run || run.count === 0) return;
    const step = run.count - 1;
    const place = `at step ${step}, ${run.learned} of ${run.d} eigenvalues learned`;
    block("loss-chart").setAttribute("aria-label", `Loss against time: ${shortNumber(run.loss(step))} ${place}`);
    block("spectrum-chart").setAttribute("aria-label", `Eigenvalues against time, ${place}`);
  }

  // Drawing

  #draw(): void {
    if (!this.#isDirty || !this.#history) return;
    this.#isDirty = false;
    this.#charts.update();
    this.#results.update(this.#history, this.#horizon, this.#state === "running");
  }

  #point(pointed: Pointed | undefined): void {
    const run = this.#history;
    if (!pointed || !run) {
      setText(block("pointed"), POINTING_HINT);
      return;
    }
    const { step, theoryLoss } = pointed;
    const place = `t = ${shortNumber(step * run.timePerStep)}, step ${step}: loss `;
    if (step >= run.count) {
      setText(block("pointed"), `${place}${shortNumber(theoryLoss)} in theory`);
      return;
    }
    const values = Array.from({ length: Math.min(run.d, 10) }, (_, j) => shortNumber(run.eigenvalue(step, j), 2));
    const spectrum = `λ ${values.join("  ")}${run.d > 10 ? " …" : ""}`;
    setText(
      block("pointed"),
      `${place}${shortNumber(run.loss(step))}, theory ${shortNumber(theoryLoss)};  ${spectrum}`,
    );
  }
}

new Page();
