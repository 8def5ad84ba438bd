// The browser part of the set-up: finds one that starts, fetches one, or installs one; and SwiftShader beside it for Node.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { brokenChoice, findBrowsers, thisMachine, vulkanDriverBeside } from "./browserFinder.mjs";
import { Problem, run, tellingLine } from "./setupRun.mjs";

const REMEDY =
  "Install Chrome, Chromium or Edge (Debian: apt-get install chromium; any system: npx puppeteer browsers install chrome), or name one in the environment variable EIGENSTEP_BROWSER.";

/**
 * @param {{ browser?: string, vulkanDriver?: string }} known what an earlier set-up found
 * @returns {Promise<{ browser: string, vulkanDriver?: string }>}
 */
export async function setupBrowser(known) {
  const machine = thisMachine();
  const broken = brokenChoice(machine);
  if (broken) {
    throw new Problem(
      "SETUP-BROWSER-PATH",
      `${broken.variable} names ${broken.path}, which is not an executable file`,
      `Correct or unset ${broken.variable}.`,
    );
  }
  const candidates = findBrowsers(machine);
  // What was found and tried before is not tried again, unless the environment now names another.
  if (candidates.some(({ path }) => path === known.browser) && !isNamed(candidates[0], machine))
    return describe(known.browser);
  const tried = [];
  for (const { path } of candidates) {
    const fault = await startFault(path);
    if (fault === undefined) return describe(path);
    tried.push(`${path} does not start (${fault})`);
  }
  const steps = [fetchWithPuppeteer, installWithApt];
  for (const step of steps) {
    const { path, fault } = await step(machine);
    if (path !== undefined) return describe(path);
    if (fault !== undefined) tried.push(fault);
  }
  throw new Problem("SETUP-NO-BROWSER", `No browser could be found or fetched: ${tried.join("; ")}`, REMEDY);
}

function isNamed(candidate, machine) {
  return candidate !== undefined && candidate.source in machine.env;
}

function describe(browser) {
  const vulkanDriver = process.platform === "linux" ? vulkanDriverBeside(browser) : undefined;
  return { browser, ...(vulkanDriver === undefined ? {} : { vulkanDriver }) };
}

/** Why a browser cannot be used, or undefined. Wrappers without a browser behind them and missing libraries show here. */
async function startFault(path) {
  // On Windows and macOS browsers bring what they need, and on Windows asking for the version opens a window.
  if (process.platform !== "linux") return undefined;
  const { code, output } = await run(path, ["--version"], { timeoutMs: 30_000 });
  if (code === 0 && /\d+\.\d+/.test(output)) return undefined;
  return output.trim().split("\n").at(-1) || `exit code ${code}`;
}

/** Chrome for Testing through puppeteer's own installer, into puppeteer's cache. */
async function fetchWithPuppeteer(machine) {
  const host = "https://storage.googleapis.com/chrome-for-testing-public/";
  const reachable = await fetch(host, { method: "HEAD", signal: AbortSignal.timeout(10_000) }).then(
    (response) => response.status < 500,
    () => false,
  );
  if (!reachable) return { fault: "Chrome could not be fetched (storage.googleapis.com does not answer)" };
  process.stderr.write("setup: fetching Chrome (about 180 MB, once)\n");
  const cli = createRequire(import.meta.url).resolve("puppeteer/lib/cjs/puppeteer/node/cli.js");
  const { code, output } = await run(process.execPath, [cli, "browsers", "install", "chrome"], {
    timeoutMs: 15 * 60_000,
    stallMs: 60_000,
  });
  if (code !== 0) return { fault: `Chrome could not be fetched (${tellingLine(output)})` };
  const path = findBrowsers(machine).find(({ source }) => source === "puppeteer's cache")?.path;
  if (path === undefined) return { fault: "the fetched Chrome is not in puppeteer's cache" };
  const fault = await startFault(path);
  return fault === undefined ? { path } : { fault: `the fetched Chrome does not start (${fault})` };
}

/** Debian's and Ubuntu's package, as root: it brings the libraries that a fetched Chrome may lack. */
async function installWithApt(machine) {
  if (!isDebian()) return {};
  if (process.getuid?.() !== 0) return { fault: "installing chromium with apt-get needs root" };
  process.stderr.write("setup: installing chromium (apt-get)\n");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options = { timeoutMs: 15 * 60_000, stallMs: 3 * 60_000, env };
  await run("apt-get", ["update"], options);
  const { code, output } = await run("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], options);
  if (code !== 0) return { fault: `apt-get install chromium failed (${tellingLine(output)})` };
  for (const { path } of findBrowsers(machine)) {
    if ((await startFault(path)) === undefined) return { path };
  }
  return { fault: "the installed chromium does not start" };
}

function isDebian() {
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}
