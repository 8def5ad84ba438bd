/** The staircase page in Firefox: it trains in its worker, pauses, steps by one and agrees with theory; another clock, another WebGPU. */
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startDemoServer } from "../../src/cli/demoServer.ts";
import { dist } from "../cli/support.ts";
import { openFirefoxPage } from "./support.ts";

it("the staircase page trains in Firefox", { timeout: 120_000 }, async () => {
  const server = await startDemoServer(join(await dist(), "demos"), 0);
  onTestFinished(() => server.close());
  const { page, close } = await openFirefoxPage(`${server.url}#preset=synthetic&lr=0.02&init=0.001`);
  onTestFinished(close);
  const inState = (state: string) =>
    page.waitForFunction((wanted) => document.body.dataset.state === wanted, { timeout: 60_000 }, state);
  // What is shown is drawn with the next frame.
  const shows = (id: string, wanted: string) =>
    expect.poll(() => page.$eval(`#${id}`, (element) => element.textContent ?? "")).toContain(wanted);

  await inState("paused");
  await page.click("#step");
  await shows("out-step", "1 /");
  await page.click("#start");
  await inState("finished");
  await shows("out-learned", "4 of 4");
  const rows = await page.$$eval("#steps tr", (all) =>
    all.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent ?? "")),
  );
  const bound = rows.filter(([, , predicted]) => !predicted?.startsWith("~"));
  expect(bound.length).toBeGreaterThan(1);
  for (const [, , predicted, measured] of bound) {
    expect(Math.abs(Number(measured) / Number(predicted) - 1)).toBeLessThan(0.02);
  }
  await page.click("#reset");
  await inState("paused");
  await shows("out-step", "0 /");
  expect(await page.$eval("#notice", (notice) => (notice as HTMLElement).hidden)).toBe(true);
});
