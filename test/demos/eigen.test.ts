/** The page of Jacobi's sweeps in headless Chrome: from a matrix to its eigenvalues, controls, address, matrices of one's own, faults. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import puppeteer, { type Browser, type ElementHandle, type Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { FAMILIES } from "../../demos/eigen/families.ts";
import { AsymmetryError, readFile, readText } from "../../demos/eigen/readMatrix.ts";
import { fromHash, toHash } from "../../demos/eigen/settings.ts";
import { diagonal, firstFrame, nextFrame, solve } from "../../demos/eigen/sweeper.ts";
import { type DemoServer, startDemoServer } from "../../src/cli/demoServer.ts";
import { browserFlagSets, thisSurroundings } from "../../src/cli/runtimes/browserFlags.ts";
import { chooseBrowser, readSetupRecord } from "../../src/cli/runtimes/findBrowser.ts";
import { encodeNpy } from "../../src/data/index.ts";
import { isEngineError } from "../../src/errors.ts";
import { dist, root, temporaryFolder } from "../cli/support.ts";
import { eigh } from "../oracle/eigh.ts";
import { useEngine } from "../support/device.ts";

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

async function open(hash: string, before?: () => void): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  const faults: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("response", (response) => {
    if (response.status() >= 400) faults.push(`${response.url()}: ${response.status()}`);
  });
  if (before) await page.evaluateOnNewDocument(before);
  await page.goto(`${server.url}eigen/index.html${hash}`, { waitUntil: "load" });
  return { page, faults };
}

/** Other programs may have the cores. */
const PATIENT = { timeout: 20_000 } as const;

async function inState(page: Page, state: string): Promise<void> {
  await page.waitForFunction((wanted) => document.body.dataset.state === wanted, { timeout: 30_000 }, state);
}

function text(page: Page, id: string): Promise<string> {
  return page.$eval(`#${id}`, (element) => element.textContent ?? "");
}

/** The values in the table. */
function values(page: Page): Promise<number[]> {
  return page.$$eval("#values tr td:last-child", (cells) =>
    cells.map((cell) => Number((cell.textContent ?? "").replaceAll("−", "-"))),
  );
}

const number = (shown: string): number => Number(shown.replaceAll("−", "-"));

describe("the page", () => {
  it("sweeps a matrix to its eigenvalues by itself, and shows how good they are", async () => {
    const n = 12;
    const { page, faults } = await open(`#family=random&n=${n}&seed=3`);
    await inState(page, "finished");
    expect(await text(page, "adapter")).not.toBe("");
    expect(await text(page, "status-text")).toMatch(/Converged: sweep \d+ needed no rotation/);
    const a = FAMILIES.find(({ name }) => name === "random")!.make(n, 3);
    const exact = eigh(a, n).values;
    // 4·√n·u·|λ|_max of docs/numerics.md, and half a unit of the eight digits that are shown.
    const bound = 4 * Math.sqrt(n) * 2 ** -24 * Math.abs(exact[0]!) + 5e-8;
    (await values(page)).forEach((value, j) => {
      expect(Math.abs(value - exact[j]!)).toBeLessThan(bound);
    });
    expect(await text(page, "out-status")).toBe("ok");
    expect(number(await text(page, "out-residual"))).toBeLessThan(2 * n * 2 ** -24);
    expect(number(await text(page, "out-orthogonality"))).toBeLessThan(4 * n * 2 ** -24);
    expect(number(await text(page, "out-off"))).toBeLessThan(1e-6);

    // Frames are kept: the first is the matrix as given, the last all but diagonal.
    const drawn = () =>
      page.$eval("#map", (canvas) => {
        const { width, height } = canvas as HTMLCanvasElement;
        const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
        copy.drawImage(canvas as HTMLCanvasElement, 0, 0);
        const { data } = copy.getImageData(0, 0, width, height);
        const isDark = (x: number, y: number) => data[4 * (y * width + x)]! < 80;
        let off = 0;
        let on = 0;
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) if (isDark(x, y)) x === y ? on++ : off++;
        }
        return { size: [width, height], on, off };
      });
    expect(await drawn()).toEqual({ size: [n, n], on: n, off: 0 });
    await page.click("#restart");
    expect((await drawn()).off).toBeGreaterThan(n * n * 0.5);
    expect(await text(page, "out-status")).toBe("–");
    const dots = await page.$$eval("#off-chart circle", (all) => all.length);
    expect(dots).toBe(Number(await page.$eval("#sweep", (range) => (range as HTMLInputElement).max)) + 1);
    expect(faults).toEqual([]);
  });

  it("pauses, steps and starts over by the keyboard", async () => {
    const { page } = await open("#family=random&n=40");
    await inState(page, "running");
    await page.keyboard.press("Space");
    await inState(page, "paused");
    await page.keyboard.press("r");
    expect(await text(page, "out-sweep")).toBe("0");
    for (let sweep = 1; sweep <= 3; sweep++) {
      await page.keyboard.press("ArrowRight");
      await expect.poll(() => text(page, "out-sweep"), PATIENT).toBe(String(sweep));
    }
    expect(await page.evaluate(() => document.body.dataset.state)).toBe("paused");
    // In a field keys are the field's.
    await page.focus("#seed");
    await page.keyboard.press("r");
    expect(await text(page, "out-sweep")).toBe("3");
  });

  it("is reached from the other demo and leads back", async () => {
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(server.url);
    await Promise.all([page.waitForNavigation(), page.click('a[href="./eigen/index.html"]')]);
    expect(await page.title()).toContain("sweeps");
    await Promise.all([page.waitForNavigation(), page.click('a[href="../index.html"]')]);
    expect(await page.title()).toContain("One eigenvalue at a time");
  });

  it("the address carries family, order and seed; what it may not say is named", async () => {
    const { page } = await open("#family=hilbert&n=9000&x=1");
    expect(await text(page, "notice")).toContain("Ignored: n=9000, x=1");
    await page.select("#family", "graded");
    await page.$eval("#n", (range) => {
      (range as HTMLInputElement).value = "7";
      range.dispatchEvent(new Event("input", { bubbles: true }));
    });
    expect(await page.evaluate(() => location.hash)).toBe("#family=graded&n=7");
    await inState(page, "finished");
    expect(await text(page, "out-n")).toBe("7");
  });

  it("a browser without WebGPU is told which ones have it", async () => {
    const { page, faults } = await open("", () => {
      Reflect.deleteProperty(Navigator.prototype, "gpu");
    });
    expect(await text(page, "notice")).toContain("The solver runs on the GPU");
    expect(await page.$eval("#play", (element) => (element as HTMLButtonElement).disabled)).toBe(true);
    expect(faults).toEqual([]);
  });
});

describe("sweeps", () => {
  const engine = useEngine();

  it.each(FAMILIES)("$name: one at a time they lead to the eigenvalues of the whole solve", async ({ make }) => {
    for (const n of [2, 5, 33, 64]) {
      const a = make(n, 0);
      const { values, status } = await solve(engine(), a, n);
      let frame = firstFrame(a, n);
      const trace = diagonal(frame, n).reduce((sum, value) => sum + value, 0);
      while (!frame.isConverged && frame.sweep < 30) frame = await nextFrame(engine(), frame, n);
      expect([status, frame.isConverged]).toEqual(["ok", true]);
      expect(frame.offNorm).toBeLessThan(1e-6);
      // Both are within 4·√n·u·|λ|_max of the truth (docs/numerics.md); the same rotations rounded a little differently.
      const largest = Math.max(...values.map(Math.abs));
      const bound = 8 * Math.sqrt(n) * 2 ** -24 * largest;
      const found = diagonal(frame, n);
      values.forEach((value, j) => {
        expect(Math.abs(found[j]! - value)).toBeLessThan(bound);
      });
      expect(Math.abs(found.reduce((sum, value) => sum + value, 0) - trace)).toBeLessThan(n * bound);
    }
  });

  it("a matrix of zeros is done at once", async () => {
    const frame = await nextFrame(engine(), firstFrame(new Float32Array(9), 3), 3);
    expect(frame).toMatchObject({ sweep: 1, isConverged: true, offNorm: 0 });
  });
});

describe("a matrix of one's own", () => {
  it("is typed: a fault is named, its symmetric part is offered, and the eigenvalues come", async () => {
    const { page, faults } = await open("#family=own");
    await inState(page, "finished");
    // The example: 3 ± √3 and 3.
    (await values(page)).forEach((value, j) => {
      expect(value).toBeCloseTo([3 + Math.sqrt(3), 3, 3 - Math.sqrt(3)][j]!, 6);
    });
    const type = async (content: string) => {
      await page.$eval("#text", (area, value) => ((area as HTMLTextAreaElement).value = value), content);
      await page.click("#use");
    };
    await type("1, 2\n3, x");
    expect(await text(page, "fault")).toContain("“x” (row 2, column 2) is not a finite number");
    expect(await page.$eval("#play", (element) => (element as HTMLButtonElement).disabled)).toBe(true);
    await type("2, 1.5\n0.5, 2");
    expect(await text(page, "fault")).toContain("entries (1, 2) and (2, 1) differ by 1");
    await page.click("#symmetric");
    await inState(page, "finished");
    expect(await values(page)).toEqual([3, 1]);
    expect(await page.$eval("#fault", (element) => (element as HTMLElement).hidden)).toBe(true);
    expect(faults).toEqual([]);
  });

  it("is opened from a file, .npy or .csv", async () => {
    const { page, faults } = await open("#family=hilbert&n=4");
    const folder = await temporaryFolder();
    const [npy, csv] = [join(folder, "a.npy"), join(folder, "a.csv")];
    await writeFile(npy, encodeNpy(Float64Array.of(5, 0, 0, -7), [2, 2]));
    await writeFile(csv, "1;2\n2;1\n");
    const file = (await page.$("#file")) as ElementHandle<HTMLInputElement>;
    await file.uploadFile(npy);
    await expect.poll(() => values(page), PATIENT).toEqual([5, -7]);
    await inState(page, "finished");
    await file.uploadFile(csv);
    await expect.poll(() => values(page), PATIENT).toEqual([3, -1]);
    expect(faults).toEqual([]);
  });
});

describe("reading a matrix", () => {
  const bytes = (content: string) => new TextEncoder().encode(content);

  it.each([
    ["commas", "1, 2\n2, 3"],
    ["spaces and blank lines", "\n 1   2 \n\n 2 3\n"],
    ["semicolons", "1;2\n2;3"],
    ["MATLAB's rows", "[1 2; 2, 3]"],
    ["rows that end in semicolons", "1 2;\n2 3;\n"],
    ["semicolons and CRLF", "1;2\r\n2;3\r\n"],
    ["Python's brackets", "[[1, 2],\n [2, 3]]"],
    ["Python on one line", "[[1, 2], [2, 3]]"],
    ["a comment, tabs and a trailing comma", "# a matrix\n1\t2\n2,3,"],
  ])("%s", (_what, content) => {
    expect([...readText(content).entries]).toEqual([1, 2, 2, 3]);
    expect([...readFile("a.csv", bytes(content)).entries]).toEqual([1, 2, 2, 3]);
  });

  it.each([
    ["nothing", " \n", /no numbers/],
    ["words", "a b\nc d", /“a” \(row 1, column 1\)/],
    ["infinity", "1 Infinity\nInfinity 1", /“Infinity”/],
    ["a ragged matrix", "1 2\n3", /Row 2 has 1 numbers; the first row has 2/],
    ["a matrix that is not square", "1 2 3\n4 5 6", /2 rows and 3 columns/],
    ["entries beyond f32", "1e39", /1e\+39.*beyond the range of f32/],
    ["a large one", Array.from({ length: 129 }, () => new Array(129).fill(0).join(" ")).join("\n"), /order 129.*128/],
    ["one that is not symmetric", "1 2\n3 1", /\(1, 2\) and \(2, 1\) differ by 1/],
  ])("%s is refused", (_what, content, message) => {
    try {
      readText(content);
    } catch (error) {
      if (!isEngineError(error)) throw error;
      expect([error.message, error.fix]).toEqual([expect.stringMatching(message), expect.stringMatching(/\.$/)]);
      if (error instanceof AsymmetryError) expect([...error.symmetricPart.entries]).toEqual([1, 2.5, 2.5, 1]);
      return;
    }
    throw new Error("nothing was thrown");
  });

  it("families are symmetric and finite at every order, and addresses survive a round trip", () => {
    for (const { name, make } of FAMILIES) {
      for (const n of [2, 3, 31, 128]) {
        const a = make(n, 1);
        expect(a.every(Number.isFinite)).toBe(true);
        expect(a.every((value, at) => value === a[(at % n) * n + Math.floor(at / n)])).toBe(true);
      }
      const settings = { family: name, n: 17, seed: 0 };
      expect(fromHash(toHash(settings))).toEqual({ settings, ignored: [] });
    }
  });
});
