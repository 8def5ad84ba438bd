/** The runtime `firefox`: another WGSL compiler (naga) and another WebGPU (wgpu) below the same page. */
import { type BrowserRuntimeOptions, createBrowserRuntime } from "./browserRuntime.ts";
import { openFirefox } from "./browserSession.ts";
import { chooseFirefox } from "./findBrowser.ts";
import type { Runtime } from "./runtime.ts";

/** Preferences under which a headless Firefox offers WebGPU wherever there is a driver, software drivers included. */
export const FIREFOX_PREFERENCES: Readonly<Record<string, boolean>> = {
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
};

export function createFirefoxRuntime(options: BrowserRuntimeOptions): Runtime {
  return createBrowserRuntime(options, {
    name: "firefox",
    choose: () => chooseFirefox(options.browserPath),
    open: (choice) => openFirefox(choice, FIREFOX_PREFERENCES),
    productName: /\bFirefox\/[\d.]+/,
  });
}
