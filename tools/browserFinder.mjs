// Finds a Chrome, Chromium or Edge, or a Firefox, on this machine: shared by tools/setup.mjs (before anything is built) and the command. No dependencies.
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
export const FIREFOX_VARIABLES = ["EIGENSTEP_FIREFOX"];

/**
 * Every browser found, best first: the environment's choice, puppeteer's cache (newest first), installed browsers, the PATH.
 *
 * @param {Machine} [machine]
 * @returns {{ path: string, source: string }[]} `source` says where it was found, for people
 */
export function findBrowsers(machine = thisMachine()) {
  return executable(machine, [
    ...fromEnvironment(machine, BROWSER_VARIABLES),
    ...fromPuppeteerCache(machine, "chrome", CHROME_BINARIES),
    ...fromUsualPlaces(machine, usualPlaces),
    ...fromPath(machine, CHROME_COMMANDS),
  ]);
}

/**
 * Every Firefox found, best first, in the same order of places.
 *
 * @param {Machine} [machine]
 * @returns {{ path: string, source: string }[]}
 */
export function findFirefoxes(machine = thisMachine()) {
  return executable(machine, [
    ...fromEnvironment(machine, FIREFOX_VARIABLES),
    ...fromPuppeteerCache(machine, "firefox", FIREFOX_BINARIES),
    ...fromUsualPlaces(machine, usualFirefoxPlaces),
    ...fromPath(machine, FIREFOX_COMMANDS),
  ]);
}

function executable(machine, found) {
  const seen = new Set();
  return found.filter(({ path }) => machine.isExecutable(path) && !seen.has(path) && seen.add(path));
}

/**
 * A browser named in the environment that is not there: the user's wish must not be passed over in silence.
 *
 * @param {Machine} [machine]
 * @param {readonly string[]} [variables]
 * @returns {{ variable: string, path: string } | undefined}
 */
export function brokenChoice(machine = thisMachine(), variables = BROWSER_VARIABLES) {
  return fromEnvironment(machine, variables)
    .map(({ path, source }) => ({ variable: source, path }))
    .find(({ path }) => !machine.isExecutable(path));
}

function fromEnvironment({ env }, variables) {
  return variables.flatMap((variable) => (env[variable] ? [{ path: env[variable], source: variable }] : []));
}

const CHROME_BINARIES = {
  win32: ["chrome.exe"],
  darwin: ["Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing"],
  linux: ["chrome"],
};
const FIREFOX_BINARIES = {
  win32: ["firefox.exe"],
  // Here the application is the folder.
  darwin: ["Contents/MacOS/firefox"],
  linux: ["firefox"],
};

/** Layout of puppeteer's cache: <cache>/chrome/<platform>-<version>/chrome-<platform>/<binary>, or the same with `firefox`. */
function fromPuppeteerCache({ platform, env, home, list }, browser, binaries) {
  const { join: joinPath } = platform === "win32" ? win32 : posix;
  const cache = env.PUPPETEER_CACHE_DIR || joinPath(home, ".cache", "puppeteer");
  return list(joinPath(cache, browser))
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .flatMap((version) =>
      list(joinPath(cache, browser, version)).flatMap((folder) =>
        (binaries[platform] ?? binaries.linux).map((binary) => ({
          path: joinPath(cache, browser, version, folder, binary),
          source: "puppeteer's cache",
        })),
      ),
    );
}

function fromUsualPlaces({ platform, env, home }, places) {
  return places(platform, env, home).map((path) => ({ path, source: "installed" }));
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

function usualFirefoxPlaces(platform, env, home) {
  if (platform === "darwin") {
    return ["/Applications", posix.join(home, "Applications")].flatMap((folder) =>
      ["Firefox", "Firefox Developer Edition", "Firefox Nightly"].map(
        (app) => `${folder}/${app}.app/Contents/MacOS/firefox`,
      ),
    );
  }
  if (platform === "win32") {
    const roots = [env.PROGRAMFILES, env["PROGRAMFILES(X86)"], env.LOCALAPPDATA].filter(Boolean);
    const folders = ["Mozilla Firefox", "Firefox Developer Edition", "Firefox Nightly"];
    return folders.flatMap((folder) => roots.map((root) => win32.join(root, folder, "firefox.exe")));
  }
  // Not /snap/bin/firefox before the others: a snap sees a /tmp of its own and would not find the profile there.
  return ["/usr/lib/firefox/firefox", "/usr/lib/firefox-esr/firefox-esr", "/opt/firefox/firefox"];
}

const CHROME_COMMANDS = {
  win32: ["chrome.exe", "msedge.exe"],
  posix: ["google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "microsoft-edge"],
};
const FIREFOX_COMMANDS = { win32: ["firefox.exe"], posix: ["firefox", "firefox-esr"] };

function fromPath({ platform, env }, commands) {
  const { join: joinPath } = platform === "win32" ? win32 : posix;
  const names = platform === "win32" ? commands.win32 : commands.posix;
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
