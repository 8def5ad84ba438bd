/** Which browser is started and with which flags, on machines described by the test. */
import { describe, expect, it } from "vitest";
import { browserFlagSets } from "../../src/cli/runtimes/browserFlags.ts";
import { chooseBrowser, chooseFirefox } from "../../src/cli/runtimes/findBrowser.ts";
import { findBrowsers, findFirefoxes, type Machine } from "../../tools/browserFinder.mjs";

function machine(files: readonly string[], changes: Partial<Machine> = {}): Machine {
  return {
    platform: "linux",
    env: {},
    home: "/home/me",
    isExecutable: (path) => files.includes(path),
    list: (folder) => [
      ...new Set(
        files
          .filter((file) => file.startsWith(`${folder}/`) || file.startsWith(`${folder}\\`))
          .map((file) => file.slice(folder.length + 1).split(/[/\\]/)[0]!),
      ),
    ],
    ...changes,
  };
}

const paths = (found: readonly { path: string }[]) => found.map(({ path }) => path);

describe("findBrowsers", () => {
  const cached = (version: string) => `/home/me/.cache/puppeteer/chrome/linux-${version}/chrome-linux64/chrome`;

  it("prefers the environment, then puppeteer's cache (newest first), then what is installed, then the PATH", () => {
    const found = findBrowsers(
      machine(["/env/chrome", cached("99.0"), cached("148.0"), "/usr/bin/chromium", "/my/bin/google-chrome"], {
        env: { EIGENSTEP_BROWSER: "/env/chrome", PATH: "/my/bin:/usr/bin" },
      }),
    );
    expect(paths(found)).toEqual([
      "/env/chrome",
      cached("148.0"),
      cached("99.0"),
      "/usr/bin/chromium",
      "/my/bin/google-chrome",
    ]);
  });

  it("knows the places of macOS and Windows", () => {
    const mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
    expect(paths(findBrowsers(machine([mac], { platform: "darwin" })))).toEqual([mac]);
    const windows = "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe";
    const env = { PROGRAMFILES: "C:\\Program Files" };
    expect(paths(findBrowsers(machine([windows], { platform: "win32", env })))).toEqual([windows]);
  });

  it("finds nothing on an empty machine", () => {
    expect(findBrowsers(machine([]))).toEqual([]);
  });
});

describe("chooseBrowser", () => {
  it("takes --browser, then the environment, then what set-up found, then a search", () => {
    const all = machine(["/b", "/e", "/s", "/usr/bin/chromium"], { env: { EIGENSTEP_BROWSER: "/e" } });
    expect(chooseBrowser("/b", { browser: "/s" }, all).path).toBe("/b");
    expect(chooseBrowser(undefined, { browser: "/s" }, all).path).toBe("/e");
    expect(chooseBrowser(undefined, { browser: "/s" }, { ...all, env: {} }).path).toBe("/s");
    expect(chooseBrowser(undefined, { browser: "/gone" }, { ...all, env: {} }).path).toBe("/usr/bin/chromium");
  });

  it("never passes over a browser that was named but is not there", () => {
    const present = machine(["/usr/bin/chromium"]);
    expect(() => chooseBrowser("/nope", {}, present)).toThrow(/--browser names the browser \/nope/);
    expect(() => chooseBrowser(undefined, {}, { ...present, env: { EIGENSTEP_BROWSER: "/nope" } })).toThrow(
      /EIGENSTEP_BROWSER names/,
    );
  });

  it("says what to do when there is none", () => {
    expect(() => chooseBrowser(undefined, {}, machine([]))).toThrow(/No Chrome, Chromium or Edge/);
  });
});

describe("Firefox", () => {
  const cached = "/home/me/.cache/puppeteer/firefox/linux-stable_153.0/firefox/firefox";

  it("is looked for in the environment, puppeteer's cache, the usual places and the PATH, apart from Chrome", () => {
    const all = ["/e", cached, "/usr/lib/firefox-esr/firefox-esr", "/my/bin/firefox", "/usr/bin/chromium"];
    const env = { EIGENSTEP_FIREFOX: "/e", PATH: "/my/bin:/usr/bin" };
    expect(paths(findFirefoxes(machine(all, { env })))).toEqual(all.slice(0, 4));
    expect(paths(findBrowsers(machine(all, { env })))).toEqual(["/usr/bin/chromium"]);
  });

  it("has its places on macOS and Windows", () => {
    const mac = "/Applications/Firefox.app/Contents/MacOS/firefox";
    expect(paths(findFirefoxes(machine([mac], { platform: "darwin" })))).toEqual([mac]);
    const windows = "C:\\Program Files\\Mozilla Firefox\\firefox.exe";
    const env = { PROGRAMFILES: "C:\\Program Files" };
    expect(paths(findFirefoxes(machine([windows], { platform: "win32", env })))).toEqual([windows]);
  });

  it("that was named but is not there is never passed over; --browser goes before the environment", () => {
    const present = machine(["/usr/lib/firefox/firefox", "/b"], { env: { EIGENSTEP_FIREFOX: "/nope" } });
    expect(chooseFirefox("/b", present)).toEqual({ path: "/b", source: "--browser" });
    expect(() => chooseFirefox(undefined, present)).toThrow(/EIGENSTEP_FIREFOX names the browser \/nope/);
    expect(() => chooseFirefox("/gone", present)).toThrow(/--browser names the browser \/gone/);
  });

  it("that is absent is an error with the remedy", () => {
    expect(() => chooseFirefox(undefined, machine(["/usr/bin/chromium"]))).toThrow(
      expect.objectContaining({ code: "RUN-NO-FIREFOX", fix: expect.stringContaining("firefox-esr") }),
    );
  });
});

describe("browserFlagSets", () => {
  const linux = { platform: "linux", isRoot: false, hasGpuDevice: true };

  it("asks for the hardware first where there is some, and never forces a software adapter", () => {
    const sets = browserFlagSets(linux);
    expect(sets).toHaveLength(2);
    expect(sets[0]).toContain("--use-angle=vulkan");
    for (const flags of sets) {
      expect(flags).toContain("--enable-unsafe-webgpu");
      expect(flags.join(" ")).not.toMatch(/swiftshader|force|fallback|robustness/i);
    }
    expect(browserFlagSets({ ...linux, hasGpuDevice: false })).toHaveLength(1);
  });

  it("leaves out index clamps for the command's own work without a GPU, never for measurements", () => {
    const isUnclamped = (sets: string[][]) => sets.flat().some((flag) => flag.includes("disable_robustness"));
    const software = { ...linux, hasGpuDevice: false };
    expect(isUnclamped(browserFlagSets(software, false))).toBe(true);
    expect(isUnclamped(browserFlagSets(software))).toBe(false);
    expect(isUnclamped(browserFlagSets(linux, false))).toBe(false);
  });

  it("keeps the sandbox on unless root", () => {
    for (const platform of ["linux", "darwin", "win32"]) {
      expect(browserFlagSets({ ...linux, platform }).flat()).not.toContain("--no-sandbox");
    }
    for (const flags of browserFlagSets({ ...linux, isRoot: true })) expect(flags).toContain("--no-sandbox");
  });
});
