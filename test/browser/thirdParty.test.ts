/** A page that is not ours, in headless Chrome: its own device and pass, a plan between its own dispatches (test/linalg/thirdParty). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import puppeteer from "puppeteer";
import { build } from "vite";
import { expect, it, onTestFinished } from "vitest";
import { startDemoServer } from "../../src/cli/demoServer.ts";
import { browserFlagSets, thisSurroundings } from "../../src/cli/runtimes/browserFlags.ts";
import { chooseBrowser, readSetupRecord } from "../../src/cli/runtimes/findBrowser.ts";
import wgsl from "../../tools/wgsl/plugin.mjs";
import { root, temporaryFolder } from "../cli/support.ts";
import type { Outcome } from "../linalg/thirdParty/application.ts";
import { expectUntouched } from "../linalg/thirdParty/expectations.ts";

it("a page with a device of its own encodes a plan into its own pass and keeps device and buffers", async () => {
  const source = join(root, "test", "linalg", "thirdParty");
  const outDir = await temporaryFolder();
  await build({
    root: source,
    base: "./",
    configFile: false,
    logLevel: "warn",
    plugins: [wgsl()],
    build: { target: "es2022", outDir, emptyOutDir: true, modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  });
  const server = await startDemoServer(outDir, 0);
  onTestFinished(() => server.close());
  const { path } = chooseBrowser(undefined, readSetupRecord(root));
  const browser = await puppeteer.launch({
    executablePath: path,
    args: browserFlagSets(thisSurroundings()).at(-1) ?? [],
  });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(server.url, { waitUntil: "load" });
  await page.waitForFunction(() => globalThis.runPage !== undefined);
  const code = await readFile(join(source, "matrices.wgsl"), "utf8");
  const outcome = await page.evaluate((text) => globalThis.runPage?.(text), code);
  expectUntouched(outcome as Outcome);
  expect(faults).toEqual([]);
});
