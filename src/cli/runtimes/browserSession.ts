/** One browser process with a folder of its own for its profile, closed and swept up whatever happens. */
import { mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, LaunchOptions } from "puppeteer";
import { EngineError } from "../../errors.ts";
import { guardBrowser } from "./browserGuardian.ts";
import type { BrowserChoice } from "./findBrowser.ts";

export interface BrowserSession {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** Time for a browser to start, and to close before it is killed. */
const LAUNCH_MS = 60_000;
const CLOSE_MS = 5_000;

/**
 * Chrome, Chromium or Edge.
 *
 * @throws EngineError RUN-NO-PUPPETEER, RUN-BROWSER-START
 */
export function openBrowser(choice: BrowserChoice, flags: readonly string[]): Promise<BrowserSession> {
  // A pipe rather than a debugging port: nobody else can attach, and the browser ends with this process.
  return open(choice, "chrome", { pipe: true, args: [...flags] });
}

/**
 * Firefox, over WebDriver BiDi. It knows no pipe: it listens on a port of the loopback interface, as long as it runs.
 *
 * @throws EngineError RUN-NO-PUPPETEER, RUN-BROWSER-START
 */
export function openFirefox(
  choice: BrowserChoice,
  preferences: Readonly<Record<string, unknown>>,
): Promise<BrowserSession> {
  return open(choice, "firefox", { extraPrefsFirefox: { ...preferences } });
}

async function open(
  choice: BrowserChoice,
  browserName: "chrome" | "firefox",
  options: Pick<LaunchOptions, "pipe" | "args" | "extraPrefsFirefox">,
): Promise<BrowserSession> {
  const puppeteer = await loadPuppeteer();
  const folder = mkdtempSync(join(tmpdir(), `eigenstep-${browserName}-`));
  let browser: Browser | undefined;
  // The last resort, when the process ends without closing (a second Ctrl-C): nothing of ours stays behind.
  const onExit = () => {
    if (browser) killBrowser(browser);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once("exit", onExit);
  const sweep = async () => {
    process.off("exit", onExit);
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }).catch(() => {});
  };
  try {
    browser = await puppeteer.launch({
      ...options,
      browser: browserName,
      executablePath: choice.path,
      headless: true,
      userDataDir: join(folder, "profile"),
      env: browserEnvironment(folder),
      timeout: LAUNCH_MS,
      protocolTimeout: 0,
      // The command handles signals itself and ends the run cleanly.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    });
  } catch (cause) {
    await sweep();
    throw launchFailure(choice, cause);
  }
  const opened = browser;
  const pid = opened.process()?.pid;
  const dismiss = pid === undefined ? () => {} : guardBrowser(pid, folder);
  return {
    browser: opened,
    async close() {
      const timer = setTimeout(() => killBrowser(opened), CLOSE_MS);
      await opened.close().catch(() => killBrowser(opened));
      clearTimeout(timer);
      await sweep();
      dismiss();
    },
  };
}

/**
 * Lets a browser on Linux keep its other temporary files in our folder, too: it leaves them behind when it is killed. Among them is a
 * socket, whose path may have 107 characters, 44 of them its own.
 */
function browserEnvironment(folder: string): NodeJS.ProcessEnv {
  return process.platform === "linux" && folder.length <= 60 ? { ...process.env, TMPDIR: folder } : process.env;
}

async function loadPuppeteer(): Promise<typeof import("puppeteer").default> {
  try {
    return (await import("puppeteer")).default;
  } catch (cause) {
    throw new EngineError({
      code: "RUN-NO-PUPPETEER",
      message: `The npm package puppeteer cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: "Run `npm install puppeteer`, or use --runtime node.",
      cause,
    });
  }
}

/** Kills the browser with its children: puppeteer starts it as the leader of a process group, except on Windows. */
function killBrowser(browser: Browser): void {
  const child = browser.process();
  if (!child?.pid || child.exitCode !== null) return;
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

function launchFailure(choice: BrowserChoice, cause: unknown): EngineError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const lines = text.split("\n").map((line) => line.trim());
  const telling =
    lines.find((line) => /sandbox|shared librar|ERROR|FATAL/i.test(line)) ?? lines.find((line) => line !== "") ?? text;
  return new EngineError({
    code: "RUN-BROWSER-START",
    message: `The browser ${choice.path} (${choice.source}) did not start: ${telling}`,
    fix: launchFix(text),
    where: choice.path,
    cause,
  });
}

function launchFix(text: string): string {
  if (/no usable sandbox|namespace|setuid sandbox/i.test(text)) {
    return "Allow unprivileged user namespaces or install the distribution's browser package, which brings its sandbox (https://pptr.dev/troubleshooting); or use --runtime node.";
  }
  if (/shared librar/i.test(text)) {
    return "Install the missing library (Debian: apt-get install chromium brings all of them), or use --runtime node.";
  }
  return "Start this browser by hand to see why, name another with --browser PATH, or use --runtime node.";
}
