/** The Firefox of this machine, if there is one, and pages in it. */
import { existsSync, readdirSync } from "node:fs";
import type { Page } from "puppeteer";
import { type BrowserSession, openFirefox } from "../../src/cli/runtimes/browserSession.ts";
import { type BrowserChoice, chooseFirefox } from "../../src/cli/runtimes/findBrowser.ts";
import { FIREFOX_PREFERENCES } from "../../src/cli/runtimes/firefoxRuntime.ts";
import { isEngineError } from "../../src/errors.ts";

/** The Firefox that tests run in, or why they cannot; a Firefox that was named but is not there is an error, not a reason to skip. */
export function firefoxOrReason(): { readonly choice: BrowserChoice } | { readonly reason: string } {
  try {
    const choice = chooseFirefox(undefined);
    // Firefox has no software adapter of its own; without any driver it would have no WebGPU, which is the machine's lack, not ours.
    if (process.platform === "linux" && !hasVulkanDriver()) {
      return {
        reason: `${choice.path} is installed, but no Vulkan driver (Debian: apt-get install mesa-vulkan-drivers)`,
      };
    }
    return { choice };
  } catch (error) {
    if (isEngineError(error) && error.code === "RUN-NO-FIREFOX") return { reason: error.message };
    throw error;
  }
}

function hasVulkanDriver(): boolean {
  return ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"].some(
    (folder) => existsSync(folder) && readdirSync(folder).length > 0,
  );
}

export interface FirefoxPage {
  readonly page: Page;
  readonly session: BrowserSession;
  /** Closes the browser and removes its profile. */
  close(): Promise<void>;
}

/**
 * Opens a page in a Firefox of its own.
 *
 * @param preferences in addition to those under which the runtime `firefox` starts it
 */
export async function openFirefoxPage(
  url: string,
  preferences: Readonly<Record<string, unknown>> = {},
): Promise<FirefoxPage> {
  const session = await openFirefox(chooseFirefox(undefined), { ...FIREFOX_PREFERENCES, ...preferences });
  try {
    const page = await session.browser.newPage();
    await page.goto(url);
    return { page, session, close: () => session.close() };
  } catch (error) {
    await session.close();
    throw error;
  }
}
