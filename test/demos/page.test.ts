/** The staircase page in headless Chrome: load time, training, controls, address, failures, frame rate; and as plain static files. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type DemoServer, startDemoServer } from "../../src/cli/demoServer.ts";
import { browserFlagSets, thisSurroundings } from "../../src/cli/runtimes/browserFlags.ts";
import { chooseBrowser, readSetupRecord } from "../../src/cli/runtimes/findBrowser.ts";
import { dist, root } from "../cli/support.ts";

let browser: Browser;
let server: DemoServer;
let folder = "";

beforeAll(async () => {
  folder = join(await dist(), "demos");
  server = await startDemoServer(folder, 0);
  const { path } = chooseBrowser(undefined, readSetupRecord(root));
  browser = await puppeteer.launch({ executablePath: path, args: browserFlagSets(thisSurroundings()).at(-1) ?? [] });
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** Four modes, some 500 steps: seconds on a software adapter. */
const QUICK = "#preset=synthetic&lr=0.02&init=0.001";

interface Opened {
  readonly page: Page;
  /** Errors of the page and its console, and failed requests. */
  readonly faults: string[];
}

/** @param before runs in the page before its scripts */
async function open(
  hash: string,
  options: { readonly base?: string; readonly before?: () => void } = {},
): Promise<Opened> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  const faults: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("requestfailed", (request) => faults.push(`${request.url()} failed`));
  page.on("response", (response) => {
    if (response.status() >= 400) faults.push(`${response.url()}: ${response.status()}`);
  });
  await page.evaluateOnNewDocument(recordReports);
  if (options.before) await page.evaluateOnNewDocument(options.before);
  await page.goto((options.base ?? server.url) + hash, { waitUntil: "load" });
  return { page, faults };
}

/** Keeps in the page the bits of the first loss of every run: what is shown is rounded. */
function recordReports(): void {
  const record = window as unknown as { firstLosses: number[] };
  record.firstLosses = [];
  const Original = window.Worker;
  window.Worker = class extends Original {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      this.addEventListener("message", ({ data }) => {
        if (data.type === "records" && data.firstStep === 0) record.firstLosses.push(data.losses[0]);
      });
    }
  };
}

async function inState(page: Page, state: string): Promise<void> {
  await page.waitForFunction((wanted) => document.body.dataset.state === wanted, { timeout: 30_000 }, state);
}

function text(page: Page, id: string): Promise<string> {
  return page.$eval(`#${id}`, (element) => element.textContent ?? "");
}

/** The whole number at the beginning of a read-out; drawn with the next frame. */
async function stepShown(page: Page): Promise<number> {
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  return Number((await text(page, "out-step")).split("/")[0]?.replaceAll(",", ""));
}

function mark(page: Page, name: string): Promise<number> {
  return page.evaluate((wanted) => performance.getEntriesByName(wanted, "mark")[0]?.startTime ?? Number.NaN, name);
}

describe("the page", () => {
  it("can be used within 2 s, and trains as theory predicts", async () => {
    const { page, faults } = await open(QUICK);
    expect(await page.$eval("#start", (button) => (button as HTMLButtonElement).disabled)).toBe(false);
    expect(await mark(page, "interactive")).toBeLessThan(2000);
    await inState(page, "paused");
    console.log(
      `page: controls after ${(await mark(page, "interactive")).toFixed()} ms, ready to train after ${(await mark(page, "ready")).toFixed()} ms`,
    );
    expect(await text(page, "adapter")).not.toBe("");
    expect(await stepShown(page)).toBe(0);
    const before = Number(await text(page, "out-loss"));
    await page.click("#start");
    await inState(page, "finished");
    expect(Number(await text(page, "out-loss"))).toBeLessThan(0.01 * before);
    expect(await text(page, "out-learned")).toBe("4 of 4");
    const rows = await page.$$eval("#steps tr", (all) =>
      all.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent ?? "")),
    );
    expect(rows).toHaveLength(4);
    for (const [, , predicted = "", measured] of rows) {
      // Those that theory does not bind are marked and not held to it.
      if (!predicted.startsWith("~")) expect(Math.abs(Number(measured) / Number(predicted) - 1)).toBeLessThan(0.02);
    }
    expect(rows.filter(([, , predicted]) => !predicted?.startsWith("~")).length).toBeGreaterThan(1);
    expect(faults).toEqual([]);
  });

  it("starts when it is ready though Start was pressed before, pauses, steps by one, resets to the same bits", async () => {
    const { page, faults } = await open(`${QUICK}&rate=20`);
    await page.click("#start");
    await inState(page, "running");
    await page.waitForFunction(() => Number.parseInt(document.getElementById("out-step")?.textContent ?? "", 10) >= 3);
    await page.click("#start");
    await inState(page, "paused");
    const paused = await stepShown(page);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await stepShown(page)).toBe(paused);
    for (let i = 1; i <= 3; i++) {
      await page.click("#step");
      await expect.poll(() => stepShown(page)).toBe(paused + i);
    }
    // The keyboard does the same, unless something else has the focus.
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => stepShown(page)).toBe(paused + 4);
    await page.keyboard.press("r");
    await expect.poll(() => stepShown(page)).toBe(0);
    const losses = await page.evaluate(() => (window as unknown as { firstLosses: number[] }).firstLosses);
    expect(losses).toHaveLength(2);
    expect(losses[1]).toBe(losses[0]);
    expect(faults).toEqual([]);
  });

  it("draws at 50 frames a second or more while training, without a task of 50 ms", async () => {
    const { page } = await open("#preset=synthetic");
    await inState(page, "paused");
    await page.click("#start");
    await inState(page, "running");
    // On a software adapter training takes all cores, and other programs take them, too: the best of a few windows counts.
    const windows: { readonly fps: number; readonly longestMs: number }[] = [];
    for (let i = 0; i < 4 && !windows.some(({ fps, longestMs }) => fps >= 50 && longestMs < 50); i++) {
      windows.push(await page.evaluate(frameRate));
    }
    console.log(
      `page while training: ${windows.map(({ fps, longestMs }) => `${fps.toFixed(1)} fps, longest task ${longestMs > 0 ? `${longestMs.toFixed()} ms` : "below 50 ms"}`).join("; ")}`,
    );
    expect(windows.at(-1)?.fps).toBeGreaterThanOrEqual(50);
    expect(windows.at(-1)?.longestMs).toBeLessThan(50);
  });
});

/** Frames over 2 s, and the longest task of 50 ms or more in them (shorter ones are not reported). */
async function frameRate(): Promise<{ readonly fps: number; readonly longestMs: number }> {
  let longestMs = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) longestMs = Math.max(longestMs, entry.duration);
  });
  observer.observe({ type: "longtask" });
  const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
  const start = await frame();
  let frames = 0;
  let now = start;
  while (now < start + 2000) {
    now = await frame();
    frames++;
  }
  observer.disconnect();
  return { fps: (1000 * frames) / (now - start), longestMs };
}

describe("the address", () => {
  it("carries every change, survives a reload, and follows the back button's changes", async () => {
    const { page, faults } = await open("#preset=synthetic&d=3");
    await inState(page, "paused");
    await page.select("#rate", "60");
    await page.click("#log-t");
    await page.$eval("#seed", (field) => {
      (field as HTMLInputElement).value = "7";
      field.dispatchEvent(new Event("change", { bubbles: true }));
    });
    const hash = "#preset=synthetic&d=3&seed=7&rate=60&t=log";
    expect(await page.evaluate(() => location.hash)).toBe(hash);
    await page.reload();
    const shown = () =>
      page.evaluate(() => {
        const value = (id: string) => (document.getElementById(id) as HTMLInputElement).value;
        const isChecked = (id: string) => (document.getElementById(id) as HTMLInputElement).checked;
        return [value("preset"), value("d"), value("seed"), value("rate"), isChecked("log-t"), isChecked("log-lambda")];
      });
    expect(await shown()).toEqual(["linear-synthetic", "3", "7", "60", true, false]);
    await page.evaluate(() => {
      location.hash = "#preset=extent-bias";
    });
    await expect.poll(shown).toEqual(["linear-extent-bias", "2", "0", "0", false, false]);
    await inState(page, "paused");
    expect(faults).toEqual([]);
  });

  it("what it may not say is named and left out", async () => {
    const { page } = await open("#preset=synthetic&d=99");
    expect(await text(page, "notice")).toContain("Ignored: d=99");
    expect(await page.$eval("#d", (field) => (field as HTMLInputElement).value)).toBe("4");
  });
});

describe("what can go wrong", () => {
  it("a learning rate above its bound is refused with the bound, and a click takes one that works", async () => {
    const { page } = await open("#preset=synthetic&lr=0.3");
    await inState(page, "failed");
    expect(await text(page, "notice")).toMatch(/too large.*1\/\(4γ₁\) = 0\.25/s);
    expect(await page.$eval("#lr", (field) => field.getAttribute("aria-invalid"))).toBe("true");
    await page.click("#notice-action");
    await inState(page, "paused");
    expect(await page.$eval("#notice", (notice) => (notice as HTMLElement).hidden)).toBe(true);
    expect(await page.evaluate(() => location.hash)).toContain("lr=0.02");
  });

  it("a browser without WebGPU is told which ones have it", async () => {
    const { page, faults } = await open("", {
      before: () => {
        Reflect.deleteProperty(Navigator.prototype, "gpu");
      },
    });
    for (const name of ["has no WebGPU", "Chrome", "Safari", "Firefox", "about:config"])
      expect(await text(page, "notice")).toContain(name);
    expect(await page.$eval("#start", (button) => (button as HTMLButtonElement).disabled)).toBe(true);
    expect(faults).toEqual([]);
  });

  it.each([
    ["DEVICE-UNSUPPORTED", "no WebGPU"],
    ["DEVICE-NO-ADAPTER", "found no adapter"],
    ["DEVICE-LOST", "The GPU device was lost"],
    ["LIMIT-MEMORY", "a message (LIMIT-MEMORY)"],
  ])("%s in the worker is explained", async (code, words) => {
    const { page } = await open(`#code=${code}`, { before: failingWorker });
    await inState(page, "failed");
    expect(await text(page, "notice")).toContain(words);
  });

  it("a worker that stops is replaced on request", async () => {
    const { page } = await open("#code=throw", { before: failingWorker });
    await inState(page, "failed");
    expect(await text(page, "notice")).toContain("The training worker stopped");
    await page.click("#notice-action");
    await inState(page, "failed");
    expect(await page.evaluate(() => (window as unknown as { workers: number }).workers)).toBe(2);
  });
});

/** A worker that answers the first command with the error code of the address, or throws. */
function failingWorker(): void {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  const counted = window as unknown as { workers: number };
  counted.workers = 0;
  window.Worker = class extends EventTarget {
    onmessage: ((event: { data: unknown }) => void) | null = null;
    onerror: ((event: { message: string; preventDefault: () => void }) => void) | null = null;
    constructor() {
      super();
      counted.workers++;
    }
    postMessage(command: { type: string; generation: number }) {
      if (command.type !== "prepare") return;
      const error = { code, message: "a message", fix: "a fix" };
      setTimeout(() => {
        if (code === "throw") this.onerror?.({ message: "boom", preventDefault: () => {} });
        else this.onmessage?.({ data: { type: "failed", generation: command.generation, error } });
      });
    }
    terminate() {}
  } as unknown as typeof Worker;
}

it("works from any static host, below any path, without cross-origin isolation; digits come with it", async () => {
  const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
  const plain = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://host").pathname
      .replace(/^\/some\/place\//, "")
      .replace(/^$/, "index.html");
    readFile(join(folder, path)).then(
      (bytes) =>
        response.writeHead(200, { "Content-Type": types[extname(path)] ?? "application/octet-stream" }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => {
    plain.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    plain.closeAllConnections();
    plain.close();
  });
  const base = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/some/place/`;
  const { page, faults } = await open("#images=64&crop=8&d=3", { base });
  await inState(page, "paused");
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  await page.click("#step");
  await expect.poll(() => stepShown(page)).toBe(1);
  expect(await text(page, "plan")).toContain("64 pairs of 64 features");
  expect(faults).toEqual([]);
});
