/** The page: a matrix in, frames of the solver out. The GPU does the sweeps; this thread waits for each and draws it. */
import { adapterLine } from "../../src/device/adapter.ts";
import { Engine } from "../../src/device/engine.ts";
import { isEngineError } from "../../src/errors.ts";
import { block, button, element, input, select, setText } from "../staircase/elements.ts";
import { missingWebGpu, type Notice, noticeFor, showNotice } from "../staircase/notices.ts";
import { FAMILIES, familyNamed } from "./families.ts";
import { AsymmetryError, type OwnMatrix, readFile, readText } from "./readMatrix.ts";
import { defaults, fromHash, OWN, type Settings, toHash } from "./settings.ts";
import { type Frame, firstFrame, nextFrame, type Solution, solve } from "./sweeper.ts";
import { View } from "./view.ts";

/** Time that a frame is shown while sweeping. */
const FRAME_MS = 500;
/** Jacobi needs about log₂ n + 4 sweeps; this many mean that it does not converge. */
const MAX_SWEEPS = 30;
const EXAMPLE = "4, 1, 0\n1, 3, 1\n0, 1, 2";

type State = "preparing" | "paused" | "running" | "finished" | "failed";

class Page {
  #settings: Settings;
  #engine: Engine | undefined;
  #matrix: OwnMatrix = { n: 1, entries: new Float32Array(1) };
  #own: OwnMatrix | undefined;
  #frames: Frame[] = [];
  #shown = 0;
  #solution: Solution | undefined;
  #state: State = "preparing";
  /** Of the matrix: what was begun for an earlier one is dropped when it arrives. */
  #generation = 0;
  #isSweeping = false;
  /** The symmetric part of a matrix that was refused. */
  #repaired: OwnMatrix | undefined;
  readonly #view = new View();
  readonly #text = element("text", HTMLTextAreaElement);

  constructor() {
    const { settings, ignored } = fromHash(location.hash);
    this.#settings = settings;
    this.#fillForm();
    this.#wire();
    block("status").querySelector(".stuck")?.remove();
    const missing = missingWebGpu();
    if (missing) {
      showNotice({ ...missing, text: missing.text.replace("Training runs", "The solver runs") });
      this.#enter("failed");
      return;
    }
    if (ignored.length > 0) this.#noteIgnored(ignored);
    this.#load(true);
  }

  // The matrix

  #load(isFirst = false): void {
    const { family, n, seed } = this.#settings;
    const made = familyNamed(family);
    if (made) this.#matrix = { n, entries: made.make(n, seed) };
    else if (this.#own) this.#matrix = this.#own;
    else {
      this.#useText();
      return;
    }
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#begin(!(isFirst && calm));
  }

  #begin(sweepAtOnce: boolean): void {
    this.#generation++;
    this.#isSweeping = false;
    this.#solution = undefined;
    this.#frames = [firstFrame(this.#matrix.entries, this.#matrix.n)];
    this.#shown = 0;
    this.#draw();
    this.#enter("preparing");
    void this.#prepare(this.#generation, sweepAtOnce);
  }

  async #prepare(generation: number, sweepAtOnce: boolean): Promise<void> {
    try {
      if (!this.#engine) await this.#open();
      if (generation !== this.#generation) return;
      this.#enter("paused");
      if (sweepAtOnce) await this.#sweep();
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
  }

  async #open(): Promise<void> {
    setText(block("status-text"), "Looking for a GPU …");
    const engine = await Engine.request({ label: "eigen" });
    if (this.#engine) {
      engine.destroy();
      return;
    }
    this.#engine = engine;
    const line = block("adapter");
    line.hidden = false;
    setText(line, adapterLine(engine.adapter));
    void engine.lost.then((error) => {
      if (this.#engine !== engine) return;
      this.#engine = undefined;
      this.#fail(error);
    });
  }

  // Sweeps

  /** One sweep more, from memory or by the GPU; false when there is none. */
  async #advance(): Promise<boolean> {
    const generation = this.#generation;
    const last = this.#frames.at(-1);
    if (this.#shown < this.#frames.length - 1) {
      this.#show(this.#shown + 1);
      return true;
    }
    if (!last || !this.#engine || last.isConverged || last.sweep >= MAX_SWEEPS) return false;
    const frame = await nextFrame(this.#engine, last, this.#matrix.n);
    if (generation !== this.#generation) return false;
    // Asked for twice at once: the second answer is the first one's.
    if (this.#frames.length > frame.sweep) return true;
    this.#frames.push(frame);
    if (frame.isConverged || frame.sweep >= MAX_SWEEPS) {
      const solution = await solve(this.#engine, this.#matrix.entries, this.#matrix.n);
      if (generation !== this.#generation) return false;
      this.#solution = solution;
    }
    this.#show(frame.sweep);
    return true;
  }

  async #sweep(): Promise<void> {
    const generation = this.#generation;
    this.#isSweeping = true;
    this.#enter("running");
    await pause(FRAME_MS);
    while (this.#isSweeping && generation === this.#generation && (await this.#advance())) await pause(FRAME_MS);
    if (generation !== this.#generation) return;
    this.#isSweeping = false;
    this.#enter(this.#isAtEnd() ? "finished" : "paused");
  }

  async #step(): Promise<void> {
    this.#isSweeping = false;
    const generation = this.#generation;
    await this.#advance();
    if (generation === this.#generation) this.#enter(this.#isAtEnd() ? "finished" : "paused");
  }

  #isAtEnd(): boolean {
    return this.#solution !== undefined && this.#shown === this.#frames.length - 1;
  }

  #guarded(work: () => Promise<void>): void {
    const generation = this.#generation;
    work().catch((error: unknown) => {
      if (generation === this.#generation) this.#fail(error);
    });
  }

  #toggle(): void {
    if (this.#state === "running") {
      this.#isSweeping = false;
      return;
    }
    if (this.#state === "finished") this.#show(0);
    this.#guarded(() => this.#sweep());
  }

  #restart(): void {
    showNotice(undefined);
    if (this.#state === "failed" || this.#frames.length === 0) {
      this.#load();
      return;
    }
    this.#isSweeping = false;
    this.#show(0);
    if (this.#state === "finished") this.#enter("paused");
  }

  // Drawing

  #show(sweep: number): void {
    this.#shown = Math.min(sweep, this.#frames.length - 1);
    this.#draw();
  }

  #draw(): void {
    const { n, entries } = this.#matrix;
    const largest = entries.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const solution = this.#isAtEnd() ? this.#solution : undefined;
    this.#view.draw({ n, largest, frames: this.#frames, at: this.#shown, solution });
  }

  #enter(state: State): void {
    this.#state = state;
    document.body.dataset.state = state;
    const isReady = state !== "preparing" && state !== "failed";
    for (const id of ["play", "step"]) button(id).disabled = !isReady;
    button("restart").disabled = state === "preparing";
    setText(button("play"), state === "running" ? "Pause" : state === "finished" ? "Again" : "Sweep");
    button("step").disabled ||= state === "finished";
    const last = this.#frames.at(-1);
    const texts: Record<State, string> = {
      preparing: "Preparing …",
      paused: "Paused",
      running: "Sweeping",
      finished: last?.isConverged
        ? `Converged: sweep ${last.sweep} needed no rotation`
        : `Not converged after ${MAX_SWEEPS} sweeps`,
      failed: "Stopped",
    };
    setText(block("status-text"), texts[state]);
  }

  #fail(error: unknown): void {
    this.#isSweeping = false;
    const init = isEngineError(error)
      ? error.toJSON()
      : {
          code: "DEMO-DEFECT",
          message: error instanceof Error ? error.message : String(error),
          fix: "This is a defect in eigenstep; try again, and please report it.",
        };
    const again = (): void => {
      showNotice(undefined);
      this.#load();
    };
    showNotice(adapted(noticeFor(init, again)));
    this.#enter("failed");
  }

  // Settings

  #wire(): void {
    button("play").onclick = () => this.#toggle();
    button("step").onclick = () => this.#guarded(() => this.#step());
    button("restart").onclick = () => this.#restart();
    button("open").onclick = () => input("file").click();
    button("symmetric").onclick = () => this.#useSymmetricPart();
    input("file").onchange = () => void this.#openFiles(input("file").files);
    input("sweep").oninput = () => {
      this.#isSweeping = false;
      this.#show(Number(input("sweep").value));
      if (this.#state === "finished" && !this.#isAtEnd()) this.#enter("paused");
    };
    select("family").onchange = () => this.#change({ family: select("family").value });
    input("n").oninput = () => this.#change({ n: Number(input("n").value) });
    input("seed").onchange = () => this.#change({ seed: Math.max(0, Math.floor(Number(input("seed").value) || 0)) });
    element("settings", HTMLFormElement).onsubmit = (event) => {
      event.preventDefault();
      if (this.#settings.family === OWN) this.#useText();
    };
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("hashchange", () => this.#readAddress());
    this.#wireDropping();
  }

  #wireDropping(): void {
    addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) document.body.classList.remove("dropping");
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      void this.#openFiles(event.dataTransfer?.files ?? null);
    });
  }

  #fillForm(): void {
    const choice = select("family");
    const options = [...FAMILIES.map(({ name, label }) => [name, label] as const), [OWN, "Your own"] as const];
    choice.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
    this.#text.value = EXAMPLE;
    this.#showSettings();
  }

  #showSettings(): void {
    const { family, n, seed } = this.#settings;
    const made = familyNamed(family);
    select("family").value = family;
    input("n").value = String(n);
    input("seed").value = String(seed);
    setText(block("n-value"), String(n));
    setText(block("about"), made?.about ?? "A symmetric matrix of order up to 128, typed, pasted, opened or dropped.");
    const kinds: Record<string, boolean> = { family: made !== undefined, random: made?.isRandom ?? false, own: !made };
    for (const part of document.querySelectorAll<HTMLElement>("[data-only]")) {
      part.hidden = !kinds[part.dataset.only ?? ""];
    }
  }

  #change(change: Partial<Settings>): void {
    this.#settings = { ...this.#settings, ...change };
    history.replaceState(null, "", toHash(this.#settings));
    this.#showSettings();
    this.#showFault(undefined);
    showNotice(undefined);
    this.#load();
  }

  #readAddress(): void {
    if (location.hash === toHash(this.#settings)) return;
    const { settings, ignored } = fromHash(location.hash);
    this.#change(settings);
    if (ignored.length > 0) this.#noteIgnored(ignored);
  }

  #noteIgnored(ignored: readonly string[]): void {
    showNotice({
      title: "A part of the address was not understood.",
      text: `Ignored: ${ignored.join(", ")}.`,
      fix: `The settings shown are those that are used, for instance ${toHash(defaults())}.`,
    });
  }

  // Matrices of the user's own

  #useText(): void {
    this.#use(() => readText(this.#text.value));
  }

  async #openFiles(files: FileList | null): Promise<void> {
    const file = files?.[0];
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    input("file").value = "";
    this.#settings = { ...this.#settings, family: OWN };
    history.replaceState(null, "", toHash(this.#settings));
    this.#showSettings();
    if (!/\.npy$/i.test(file.name)) this.#text.value = new TextDecoder().decode(bytes.subarray(0, 1_000_000));
    this.#use(() => readFile(file.name, bytes));
  }

  #use(read: () => OwnMatrix): void {
    try {
      this.#own = read();
    } catch (error) {
      if (!isEngineError(error)) throw error;
      this.#generation++;
      this.#isSweeping = false;
      this.#own = undefined;
      this.#showFault(error);
      if (this.#state !== "failed") this.#enter("paused");
      for (const id of ["play", "step", "restart"]) button(id).disabled = true;
      setText(block("status-text"), "Waiting for a matrix");
      return;
    }
    this.#showFault(undefined);
    this.#matrix = this.#own;
    this.#begin(true);
  }

  #showFault(error: Error | undefined): void {
    const fault = block("fault");
    fault.hidden = error === undefined;
    setText(fault, isEngineError(error) ? `${error.message.replace(/\.?$/, ".")} ${error.fix}` : "");
    if (error) this.#text.setAttribute("aria-invalid", "true");
    else this.#text.removeAttribute("aria-invalid");
    const isFixable = error instanceof AsymmetryError;
    button("symmetric").hidden = !isFixable;
    this.#repaired = isFixable ? error.symmetricPart : undefined;
  }

  #useSymmetricPart(): void {
    const { n, entries } = this.#repaired ?? { n: 0, entries: new Float32Array() };
    if (n === 0) return;
    const rows = Array.from({ length: n }, (_, i) => entries.subarray(i * n, (i + 1) * n).join(", "));
    this.#text.value = rows.join("\n");
    this.#useText();
  }

  #key(event: KeyboardEvent): void {
    const isElsewhere =
      event.target instanceof Element && event.target.closest("input, select, textarea, button, a, [tabindex]");
    if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    const pressed = { " ": "play", ArrowRight: "step", r: "restart", R: "restart" }[event.key];
    if (!pressed) return;
    event.preventDefault();
    button(pressed).click();
  }
}

/** The notices are worded for training. */
function adapted(notice: Notice): Notice {
  return { ...notice, text: notice.text.replace("Training runs", "The solver runs") };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

new Page();
