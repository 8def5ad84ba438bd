/** The runtime `chrome`: Chrome, Chromium or Edge, started so that WebGPU has the best adapter there is. */
import { browserFlagSets, thisSurroundings } from "./browserFlags.ts";
import { type BrowserRuntimeOptions, createBrowserRuntime } from "./browserRuntime.ts";
import { type BrowserSession, openBrowser } from "./browserSession.ts";
import { type BrowserChoice, chooseBrowser, type SetupRecord } from "./findBrowser.ts";
import type { Runtime } from "./runtime.ts";

export interface ChromeRuntimeOptions extends BrowserRuntimeOptions {
  readonly setup: SetupRecord;
}

export function createChromeRuntime(options: ChromeRuntimeOptions): Runtime {
  return createBrowserRuntime(options, {
    name: "chrome",
    choose: () => chooseBrowser(options.browserPath, options.setup),
    open: openWithAdapter,
    productName: /\b\w*(Chrome|Edg)\/[\d.]+/,
  });
}

/** The first browser whose flags bring a hardware adapter, or the last one with whatever it has. */
async function openWithAdapter(choice: BrowserChoice, blankUrl: string, isMeasured: boolean): Promise<BrowserSession> {
  const flagSets = browserFlagSets(thisSurroundings(), isMeasured);
  for (const [index, flags] of flagSets.entries()) {
    const session = await openBrowser(choice, flags);
    if (index === flagSets.length - 1 || (await hasHardwareAdapter(session, blankUrl))) return session;
    await session.close();
  }
  throw new Error("unreachable: there is always a set of flags");
}

async function hasHardwareAdapter(session: BrowserSession, blankUrl: string): Promise<boolean> {
  try {
    const page = await session.browser.newPage();
    await page.goto(blankUrl);
    const isHardware = await page.evaluate(async () => {
      const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
      return adapter ? adapter.info.isFallbackAdapter !== true : false;
    });
    await page.close();
    return isHardware;
  } catch {
    return false;
  }
}
