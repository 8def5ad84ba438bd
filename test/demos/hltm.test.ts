/** The page of latent trees in headless Chrome: a tree drawn and coloured, curves, controls, address, faults. */
import { join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { allowed, configOf, DEFAULTS, fromHash, LOSSES, toHash } from "../../demos/hltm/settings.ts";
import { validateConfig } from "../../src/cli/config/resolve.ts";
import { type DemoServer, startDemoServer } from "../../src/cli/demoServer.ts";
import { browserFlagSets, thisSurroundings } from "../../src/cli/runtimes/browserFlags.ts";
import { chooseBrowser, readSetupRecord } from "../../src/cli/runtimes/findBrowser.ts";
import { dist, root } from "../cli/support.ts";

let browser: Browser;
let server: DemoServer;

beforeAll(async () => {
  server = await startDemoServer(join(await dist(), "demos"), 0);
  const { path } = chooseBrowser(undefined, readSetupRecord(root));
  browser = await puppeteer.launch({ executablePath: path, args: browserFlagSets(thisSurroundings()).at(-1) ?? [] });
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

async function open(hash: string): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.setViewport({ width: 1360, height: 980 });
  const faults: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(`${server.url}hltm/index.html${hash}`, { waitUntil: "load" });
  return { page, faults };
}

async function inState(page: Page, state: string): Promise<void> {
  await page.waitForFunction((wanted) => document.body.dataset.state === wanted, { timeout: 40_000 }, state);
}

const text = (page: Page, id: string): Promise<string> => page.$eval(`#${id}`, (found) => found.textContent ?? "");
const fills = (page: Page): Promise<(string | null)[]> =>
  page.$$eval("#tree circle", (circles) => circles.map((circle) => circle.getAttribute("fill")));
/** The table's numbers: [level][at first, now, ceiling]. */
const numbers = (page: Page): Promise<number[][]> =>
  page.$$eval("#levels tr", (rows) =>
    rows.map((row) => [...row.querySelectorAll("td")].slice(1).map((cell) => Number(cell.textContent))),
  );

describe("the page", () => {
  it("draws the tree, steps, trains until paused: nodes darken, curves rise towards their ceilings", async () => {
    const { page, faults } = await open("#depth=3&width=6&loss=batchSigmoid&lr=1");
    await inState(page, "paused");
    expect(await text(page, "adapter")).not.toBe("");
    expect(await page.$$eval("#tree circle", (circles) => circles.length)).toBe(7);
    expect(await page.$$eval("#tree rect", (leaves) => leaves.length)).toBe(8);
    expect(await page.$$eval("#tree .edge", (edges) => edges.length)).toBe(14);
    expect(await page.$$eval("#level-chart .level", (curves) => curves.length)).toBe(3);
    const before = await fills(page);
    expect(before.every((fill) => fill?.startsWith("rgb("))).toBe(true);
    await page.click("#step");
    await page.waitForFunction(() => document.getElementById("out-step")?.textContent === "1", { timeout: 20_000 });
    await inState(page, "paused");
    await page.keyboard.press("Escape");
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press("Space");
    await inState(page, "running");
    await page.waitForFunction(() => Number(document.getElementById("out-step")?.textContent?.replace(",", "")) > 300, {
      timeout: 60_000,
    });
    await page.click("#start");
    await inState(page, "paused");
    const levels = await numbers(page);
    expect(levels).toHaveLength(3);
    // A correlation over 4096 samples has a standard error below 1/64.
    for (const [, now = 1, ceiling = 0] of levels) expect(now).toBeLessThan(ceiling + 0.05);
    const [first = 1, now = 0] = levels[0] ?? [];
    expect(now).toBeGreaterThan(first);
    expect(await fills(page)).not.toEqual(before);
    await page.hover('#tree circle[data-node="0"]');
    expect(await text(page, "pointed")).toMatch(
      /^Root; best \|correlation\| 0\.\d+ of at most 0\.\d+; ρ to its children/,
    );
    await page.click("#reset");
    await inState(page, "paused");
    expect(await text(page, "out-step")).toBe("0");
    expect(faults).toEqual([]);
  }, 120_000);

  it("settings go into the address and make another tree; faults are named", async () => {
    const { page, faults } = await open("#depth=2&nonsense=1");
    await inState(page, "paused");
    expect(await text(page, "notice-text")).toContain("nonsense=1");
    const state = await page.$eval("#seed", (field) => {
      (field as HTMLInputElement).value = "4";
      field.dispatchEvent(new Event("change"));
      return document.body.dataset.state;
    });
    expect(state).toBe("preparing");
    await inState(page, "paused");
    expect(await page.evaluate(() => location.hash)).toBe("#depth=2&seed=4");
    await page.$eval("#width", (field) => {
      (field as HTMLInputElement).value = "900";
      field.dispatchEvent(new Event("change"));
    });
    expect(await text(page, "fault")).toMatch(/width must be from 1 to 20; it stays 5/);
    expect(faults).toEqual([]);
  }, 60_000);
});

describe("settings", () => {
  it("survive the way through the address; what is impossible is named", () => {
    const settings = { ...DEFAULTS, depth: 3, low: 0.75, width: 4, loss: "softTriplet", lr: 0.02, seed: 7 } as const;
    expect(fromHash(toHash(settings))).toEqual({ settings, ignored: [] });
    expect(toHash(DEFAULTS)).toBe("");
    const { settings: kept, ignored } = fromHash("#depth=9&width=2.5&low=-1&loss=none&lr=&seed=3");
    expect(kept).toEqual({ ...DEFAULTS, seed: 3 });
    expect(ignored).toEqual(["depth=9", "width=2.5", "low=-1", "loss=none", "lr"]);
    expect([allowed("depth", 6), allowed("depth", 7), allowed("low", 1)]).toEqual([6, undefined, 1]);
  });

  it.each(LOSSES)("make a valid configuration: %s", (loss) => {
    const config = configOf({ ...DEFAULTS, loss });
    expect(validateConfig(config, "the page")).toEqual(config);
  });
});
