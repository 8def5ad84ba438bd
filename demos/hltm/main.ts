/** The page: settings in, a run in the worker, its tree and its curves out. */
import { adapterLine } from "../../src/device/adapter.ts";
import { nodesOfLevel } from "../../src/theory/index.ts";
import { block, button, element, input, select, setText } from "../staircase/elements.ts";
import { missingWebGpu, noticeFor, showNotice } from "../staircase/notices.ts";
import { drawLevels } from "./levelChart.ts";
import type { Command, Report, RunState, TreeFacts } from "./messages.ts";
import {
  allowed,
  BOUNDS,
  configOf,
  DEFAULTS,
  fromHash,
  LOSSES,
  type LossName,
  type Settings,
  toHash,
} from "./settings.ts";
import { knowledgeColor, TreeView } from "./treeView.ts";

type State = "preparing" | RunState | "failed";

const LOSS_LABELS: Readonly<Record<LossName, string>> = {
  infoNce: "InfoNCE",
  simpleContrastive: "simple contrastive",
  softTriplet: "soft triplet",
  batchSigmoid: "of a batch, sigmoid (the authors’ code)",
  batchDifference: "of a batch, difference",
};
const STATUS: Readonly<Record<State, string>> = {
  preparing: "Preparing …",
  paused: "Paused",
  running: "Training",
  finished: "Finished",
  diverged: "Diverged: the loss is no longer finite",
  failed: "Stopped",
};
const NUMBERS = ["depth", "width", "low", "lr", "seed"] as const;

class Page {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  readonly #tree = new TreeView(drawing("tree"), (text) => setText(block("pointed"), text));
  #settings: Settings;
  #generation = 0;
  #state: State = "preparing";
  #facts: TreeFacts | undefined;
  #steps: number[] = [];
  #levels: number[][] = [];
  #ceiling: number[] = [];
  #startedAt = { time: 0, step: 0 };

  constructor() {
    const { settings, ignored } = fromHash(location.hash);
    this.#settings = settings;
    select("loss").replaceChildren(...LOSSES.map((name) => new Option(LOSS_LABELS[name], name)));
    this.#wire();
    this.#showSettings();
    drawScale();
    block("status").querySelector(".stuck")?.remove();
    const missing = missingWebGpu();
    if (missing) {
      showNotice(missing);
      this.#enter("failed");
      return;
    }
    if (ignored.length > 0) this.#noteIgnored(ignored);
    this.#prepare();
  }

  // The run

  #send(command: Command): void {
    this.#worker.postMessage(command);
  }

  #prepare(): void {
    this.#generation++;
    this.#steps = [];
    this.#levels = [];
    this.#enter("preparing");
    this.#send({ type: "prepare", generation: this.#generation, config: configOf(this.#settings) });
  }

  #receive(report: Report): void {
    if (report.generation !== this.#generation) return;
    switch (report.type) {
      case "phase":
        setText(block("status-text"), report.text);
        return;
      case "tree":
        this.#showTree(report.facts);
        return;
      case "look":
        this.#steps.push(report.step);
        this.#levels.push(this.#byLevel(report.correlations));
        this.#tree.colour(report.correlations);
        this.#showNumbers(report.step, report.loss);
        return;
      case "state":
        this.#enter(report.state);
        return;
      case "failed":
        showNotice(
          noticeFor(report.error, () => {
            showNotice(undefined);
            this.#prepare();
          }),
        );
        this.#enter("failed");
    }
  }

  #showTree(facts: TreeFacts): void {
    this.#facts = facts;
    const line = block("adapter");
    line.hidden = false;
    setText(line, adapterLine(facts.adapter));
    this.#ceiling = this.#byLevel(facts.ceiling);
    this.#tree.draw({ depth: this.#settings.depth, branching: 2 }, facts);
    const leaves = 2 ** this.#settings.depth;
    setText(block("plan"), `${leaves} leaves, ${leaves - 1} latents, ${facts.dispatches} dispatches an update.`);
    this.#drawCurves();
  }

  /** Means over the latents of every level, the root's first. */
  #byLevel(values: readonly number[]): number[] {
    const { depth } = this.#settings;
    return Array.from({ length: depth }, (_, index) => {
      const { first, count } = nodesOfLevel({ depth, branching: 2 }, depth - index);
      return values.slice(first, first + count).reduce((sum, value) => sum + value, 0) / count;
    });
  }

  #showNumbers(step: number, loss: number): void {
    setText(block("out-step"), step.toLocaleString("en"));
    setText(block("out-triplets"), (step * configOf(this.#settings).data.batch).toLocaleString("en"));
    setText(block("out-loss"), loss.toFixed(4));
    const seconds = (performance.now() - this.#startedAt.time) / 1000;
    const isTimed = this.#state === "running" && seconds > 0.5;
    if (isTimed) setText(block("out-rate"), ((step - this.#startedAt.step) / seconds).toFixed(0));
    const [first, last] = [this.#levels[0], this.#levels.at(-1)];
    const rows = this.#ceiling.map((most, index) => {
      const row = document.createElement("tr");
      const level = this.#ceiling.length - index;
      const cells = [index === 0 ? `${level} (root)` : String(level), first?.[index], last?.[index], most];
      row.append(
        ...cells.map((value) => {
          const cell = document.createElement("td");
          cell.textContent = typeof value === "number" ? value.toFixed(3) : (value ?? "–");
          return cell;
        }),
      );
      return row;
    });
    block("levels").replaceChildren(...rows);
    this.#drawCurves();
  }

  #drawCurves(): void {
    drawLevels(drawing("level-chart"), {
      steps: this.#steps,
      levels: this.#levels,
      ceiling: this.#ceiling,
    });
  }

  #enter(state: State): void {
    if (state === "running" && this.#state !== "running") {
      this.#startedAt = { time: performance.now(), step: this.#steps.at(-1) ?? 0 };
    }
    this.#state = state;
    document.body.dataset.state = state;
    button("start").disabled = state !== "paused" && state !== "running";
    button("step").disabled = state !== "paused";
    button("reset").disabled = state === "preparing";
    setText(button("start"), state === "running" ? "Pause" : "Start");
    setText(block("status-text"), STATUS[state]);
  }

  // Settings

  #wire(): void {
    this.#worker.onmessage = ({ data }: MessageEvent<Report>) => this.#receive(data);
    button("start").onclick = () => this.#send({ type: this.#state === "running" ? "pause" : "run" });
    button("step").onclick = () => this.#send({ type: "step" });
    button("reset").onclick = () => {
      showNotice(undefined);
      this.#prepare();
    };
    for (const key of NUMBERS) {
      const { min, max, step } = BOUNDS[key];
      if (key !== "lr") Object.assign(input(key), { min, max, step });
      input(key).onchange = () => this.#changeNumber(key);
    }
    select("loss").onchange = () => this.#change({ loss: select("loss").value as LossName });
    element("settings", HTMLFormElement).onsubmit = (event) => event.preventDefault();
    button("defaults").onclick = () => this.#change(DEFAULTS);
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("hashchange", () => {
      if (location.hash === toHash(this.#settings)) return;
      const { settings, ignored } = fromHash(location.hash);
      this.#change(settings);
      if (ignored.length > 0) this.#noteIgnored(ignored);
    });
  }

  #changeNumber(key: (typeof NUMBERS)[number]): void {
    const text = input(key).value.trim();
    const value = text === "" ? undefined : allowed(key, Number(text));
    const fault = block("fault");
    fault.hidden = value !== undefined;
    const { min, max } = BOUNDS[key];
    setText(fault, value === undefined ? `${key} must be from ${min} to ${max}; it stays ${this.#settings[key]}.` : "");
    if (value !== undefined) this.#change({ [key]: value });
  }

  #change(change: Partial<Settings>): void {
    this.#settings = { ...this.#settings, ...change };
    history.replaceState(null, "", toHash(this.#settings) || location.pathname);
    this.#showSettings();
    showNotice(undefined);
    this.#prepare();
  }

  #showSettings(): void {
    for (const key of NUMBERS) input(key).value = String(this.#settings[key]);
    select("loss").value = this.#settings.loss;
    setText(block("low-value"), this.#settings.low.toFixed(2));
  }

  #noteIgnored(ignored: readonly string[]): void {
    showNotice({
      title: "A part of the address was not understood.",
      text: `Ignored: ${ignored.join(", ")}.`,
      fix: "The settings shown are those that are used, for instance #depth=4&width=5&low=0.9.",
    });
  }

  #key(event: KeyboardEvent): void {
    const isElsewhere =
      event.target instanceof Element && event.target.closest("input, select, textarea, button, a, [tabindex]");
    if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    const pressed = { " ": "start", ArrowRight: "step", r: "reset", R: "reset" }[event.key];
    if (!pressed) return;
    event.preventDefault();
    button(pressed).click();
  }
}

/** The legend of the nodes' colours. */
function drawScale(): void {
  const stops = Array.from({ length: 11 }, (_, i) => `${knowledgeColor(i / 10)} ${10 * i}%`);
  block("scale").style.background = `linear-gradient(to right, ${stops.join(", ")})`;
}

function drawing(id: string): SVGSVGElement {
  const found = document.getElementById(id);
  if (found instanceof SVGSVGElement) return found;
  throw new Error(`The page has no drawing with the id ${id}`);
}

new Page();
