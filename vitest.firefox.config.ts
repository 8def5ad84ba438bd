/**
 * `npm run test:firefox`: the kernel tests in a page of Firefox, and what only Firefox shows. Without Firefox everything is skipped, with
 * the reason.
 */
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { pageModules } from "./test/firefox/pageModules.ts";
import { puppeteerFirefox } from "./test/firefox/provider.ts";
import { firefoxOrReason } from "./test/firefox/support.ts";
import wgsl from "./tools/wgsl/plugin.mjs";

declare module "vitest" {
  interface ProvidedContext {
    skipReason: string;
  }
}

/** Test files that run inside the page. */
const PAGE_TESTS = ["test/kernels/*.test.ts", "test/device/portability.test.ts", "test/firefox/page/*.test.ts"];
/** Test files that start a Firefox themselves. */
const NODE_TESTS = ["test/firefox/*.test.ts"];

const firefox = firefoxOrReason();
if ("reason" in firefox) console.log(`All tests are skipped: ${firefox.reason}.`);

const common = { testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false, isolate: false };

function projects(): TestProjectInlineConfiguration[] {
  const setupFiles = ["test/support/setup.ts"];
  if ("reason" in firefox) {
    return [
      {
        plugins: [wgsl(), pageModules()],
        test: {
          ...common,
          name: "skipped",
          include: [...PAGE_TESTS, ...NODE_TESTS],
          setupFiles: [...setupFiles, "test/firefox/skipAll.ts"],
          provide: { skipReason: firefox.reason },
        },
      },
    ];
  }
  return [
    {
      plugins: [wgsl(), pageModules()],
      test: {
        ...common,
        name: "page",
        include: PAGE_TESTS,
        setupFiles: [...setupFiles, "test/firefox/page/knownDefects.ts"],
        browser: {
          enabled: true,
          headless: true,
          screenshotFailures: false,
          ui: false,
          provider: puppeteerFirefox(),
          instances: [{ browser: "firefox" }],
          api: { host: "127.0.0.1" },
        },
      },
    },
    { plugins: [wgsl()], test: { ...common, name: "node", include: NODE_TESTS, setupFiles, pool: "forks" } },
  ];
}

export default defineConfig({ test: { projects: projects() } });
