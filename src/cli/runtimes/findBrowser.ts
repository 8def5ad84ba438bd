/** Which browser the command starts: `--browser`, the environment, what set-up found (Chrome), then a search of the machine. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import {
  brokenChoice,
  FIREFOX_VARIABLES,
  findBrowsers,
  findFirefoxes,
  type Machine,
  thisMachine,
} from "../../../tools/browserFinder.mjs";
import { EngineError } from "../../errors.ts";

export interface BrowserChoice {
  readonly path: string;
  /** Where the choice came from, for people. */
  readonly source: string;
}

const setupSchema = z.object({ browser: z.string().optional(), vulkanDriver: z.string().optional() });
export type SetupRecord = z.infer<typeof setupSchema>;

/** What tools/setup.mjs found on this machine; empty when it was never run here. */
export function readSetupRecord(packageRoot: string): SetupRecord {
  try {
    const path = join(packageRoot, "node_modules", ".cache", "eigenstep", "setup.json");
    return setupSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return {};
  }
}

/** Folders in which the node runtime may find SwiftShader, from the set-up and from every browser of this machine. */
export function driverFolders(setup: SetupRecord, machine: Machine = thisMachine()): string[] {
  const fromSetup = setup.vulkanDriver === undefined ? [] : [dirname(setup.vulkanDriver)];
  return [...new Set([...fromSetup, ...findBrowsers(machine).map(({ path }) => dirname(path))])].filter((folder) =>
    existsSync(join(folder, "vk_swiftshader_icd.json")),
  );
}

/** @throws EngineError RUN-BROWSER-PATH when a browser was named that is not there, RUN-NO-BROWSER when none is found */
export function chooseBrowser(
  named: string | undefined,
  setup: SetupRecord,
  machine: Machine = thisMachine(),
): BrowserChoice {
  if (named !== undefined) return namedBrowser(named, machine);
  const broken = brokenChoice(machine);
  if (broken) throw missing(broken.path, broken.variable);
  const found = findBrowsers(machine);
  const isFromEnvironment = found[0] && found[0].source in machine.env;
  if (!isFromEnvironment && setup.browser !== undefined && machine.isExecutable(setup.browser)) {
    return { path: setup.browser, source: "set-up" };
  }
  if (found[0]) return found[0];
  throw new EngineError({
    code: "RUN-NO-BROWSER",
    message: "No Chrome, Chromium or Edge was found on this machine",
    fix: "Install one (Debian: apt-get install chromium; any system: npx puppeteer browsers install chrome), name one with --browser PATH, or use --runtime node.",
  });
}

/** @throws EngineError RUN-BROWSER-PATH when a Firefox was named that is not there, RUN-NO-FIREFOX when none is found */
export function chooseFirefox(named: string | undefined, machine: Machine = thisMachine()): BrowserChoice {
  if (named !== undefined) return namedBrowser(named, machine);
  const broken = brokenChoice(machine, FIREFOX_VARIABLES);
  if (broken) throw missing(broken.path, broken.variable);
  const [found] = findFirefoxes(machine);
  if (found) return found;
  throw new EngineError({
    code: "RUN-NO-FIREFOX",
    message: "No Firefox was found on this machine",
    fix: `Install one (Debian: apt-get install firefox-esr mesa-vulkan-drivers; any system: npx puppeteer browsers install firefox), name one with --browser PATH or ${FIREFOX_VARIABLES[0]}, or use --runtime chrome.`,
  });
}

function namedBrowser(path: string, machine: Machine): BrowserChoice {
  if (machine.isExecutable(path)) return { path, source: "--browser" };
  throw missing(path, "--browser");
}

function missing(path: string, source: string): EngineError {
  return new EngineError({
    code: "RUN-BROWSER-PATH",
    message: `${source} names the browser ${path}, which is not an executable file`,
    fix: `Correct ${source}, or leave it out to let a browser be found.`,
    where: source,
  });
}
