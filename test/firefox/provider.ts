/** vitest's browser mode in the same Firefox that the runtime `firefox` starts: puppeteer, WebDriver BiDi, our preferences. */
import { defineBrowserProvider } from "@vitest/browser";
import type { BrowserProviderOption } from "vitest/node";
import { type FirefoxPage, openFirefoxPage } from "./support.ts";

export function puppeteerFirefox(): BrowserProviderOption {
  return defineBrowserProvider({
    name: "puppeteer-firefox",
    supportedBrowser: ["firefox"],
    providerFactory() {
      let opened: FirefoxPage | undefined;
      return {
        name: "puppeteer-firefox",
        supportsParallelism: false,
        getCommandsContext: () => ({}),
        async openPage(_session, url) {
          await opened?.close();
          opened = await openFirefoxPage(url);
        },
        async close() {
          await opened?.close();
          opened = undefined;
        },
      };
    },
  });
}
