// Finds a Chrome, Chromium or Edge on this machine: shared by tools/setup.mjs (before anything is built) and the command. No dependencies.
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, posix, win32 } from "node:path";

/**
 * What the search looks at, so that tests can describe another machine.
 *
 * @typedef {object} Machine
 * @property {string} platform `process.platform`
 * @property {Record<string, string | undefined>} env
 * @property {string} home
 * @property {(path: string) => boolean} isExecutable
 * @property {(folder: string) => string[]} list entries of a folder, [] when there is none
 */

/** @returns {Machine} */
export function thisMachine() {
  return {
    platform: process.platform,
    env: process.env,
    home: homedir(),
    isExecutable(path) {
      try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
      } catch {
        return false;
      }
    },
    list(folder) {
      try {
        return readdirSync(folder);
      } catch {
        return [];
      }
    },
  };
}

/** Environment variables that name a browser, in order. */
export const BROWSER_VARIABLES = ["EIGENSTEP_BROWSER", "PUPPETEER_EXECUTABLE_PATH"];

/**
 * Every browser found, best first: the environment's choice, puppeteer's cache (newest first), installed browsers, the PATH.
 *
 * @param {Machine} [machine]
 * @returns {{ path: string, source: string }[]} `source` says where it was found, for people
 */
export function findBrowsers(machine = thisMachine()) {
  const found = [
    ...fromEnvironment(machine),
    ...fromPuppeteerCache(machine),
    ...fromUsualPlaces(machine),
    ...fromPath(machine),
  ];
  const seen = new Set();
  return found.filter(({ path }) => machine.isExecutable(path) && !seen.has(path) && seen.add(path));
}

/**
 * A browser named in the environment that is not there: the user's wish must not be passed over in silence.
 *
 * @param {Machine} [machine]
 * @returns {{ variable: string, path: string } | undefined}
 */
export function brokenChoice(machine = thisMachine()) {
  return fromEnvironment(machine)
    .map(({ path, source }) => ({ variable: source, path }))
    .find(({ path }) => !machine.isExecutable(path));
}

function fromEnvironment({ env }) {
  return BROWSER_VARIABLES.flatMap((variable) => (env[variable] ? [{ path: env[variable], source: variable }] : []));
}

/** Layout of puppeteer's cache: <cache>/chrome/<platform>-<version>/chrome-<platform>/<binary>. */
function fromPuppeteerCache({ platform, env, home, list }) {
  const { join: joinPath } = platform === "win32" ? win32 : posix;
  const cache = env.PUPPETEER_CACHE_DIR || joinPath(home, ".cache", "puppeteer");
  const binaries = {
    win32: ["chrome.exe"],
    darwin: ["Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing"],
  }[platform] ?? ["chrome"];
  return list(joinPath(cache, "chrome"))
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .flatMap((version) =>
      list(joinPath(cache, "chrome", version)).flatMap((folder) =>
        binaries.map((binary) => ({
          path: joinPath(cache, "chrome", version, folder, binary),
          source: "puppeteer's cache",
        })),
      ),
    );
}

function fromUsualPlaces({ platform, env, home }) {
  return usualPlaces(platform, env, home).map((path) => ({ path, source: "installed" }));
}

function usualPlaces(platform, env, home) {
  if (platform === "darwin") {
    const apps = ["Google Chrome", "Chromium", "Microsoft Edge", "Google Chrome Canary"];
    return ["/Applications", posix.join(home, "Applications")].flatMap((folder) =>
      apps.map((app) => `${folder}/${app}.app/Contents/MacOS/${app}`),
    );
  }
  if (platform === "win32") {
    const roots = [env.PROGRAMFILES, env["PROGRAMFILES(X86)"], env.LOCALAPPDATA].filter(Boolean);
    const programs = [
      "Google\\Chrome\\Application\\chrome.exe",
      "Chromium\\Application\\chrome.exe",
      "Microsoft\\Edge\\Application\\msedge.exe",
    ];
    return programs.flatMap((program) => roots.map((root) => win32.join(root, program)));
  }
  return [
    "/opt/google/chrome/chrome",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/snap/bin/chromium",
    "/usr/bin/microsoft-edge",
  ];
}

function fromPath({ platform, env }) {
  const { join: joinPath } = platform === "win32" ? win32 : posix;
  const names =
    platform === "win32"
      ? ["chrome.exe", "msedge.exe"]
      : ["google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "microsoft-edge"];
  const separator = platform === process.platform ? delimiter : platform === "win32" ? ";" : ":";
  return (env.PATH ?? "")
    .split(separator)
    .filter(Boolean)
    .flatMap((folder) => names.map((name) => ({ path: joinPath(folder, name), source: "PATH" })));
}

/**
 * SwiftShader's Vulkan driver file beside a browser, which lets Node run WebGPU on a machine without a GPU driver.
 *
 * @param {string} browserPath
 * @returns {string | undefined}
 */
export function vulkanDriverBeside(browserPath) {
  const folders = [dirname(browserPath), "/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];
  return folders.map((folder) => join(folder, "vk_swiftshader_icd.json")).find((file) => existsSync(file));
}
