// Makes a fresh clone ready: packages, a browser, a Vulkan driver for Node, a build. Does only what is missing, and says what it does;
// when nothing is missing it is silent and quick. No dependencies: it runs before there are any.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setupBrowser } from "./setupBrowser.mjs";
import { Problem, run, tellingLine } from "./setupRun.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const record = join(root, "node_modules", ".cache", "eigenstep", "setup.json");

try {
  checkNode();
  await setupPackages();
  const before = readRecord();
  const after = await setupBrowser(before);
  if (JSON.stringify(after) !== JSON.stringify(before)) writeRecord(after);
  await setupBuild();
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  process.stderr.write(`error ${error.code}: ${error.message}\nfix: ${error.fix}\n`);
  process.exit(1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Problem(
    "SETUP-NODE",
    `Node ${process.versions.node} is too old; eigenstep needs 20.19 or newer`,
    "Install a newer Node from https://nodejs.org.",
  );
}

/** `npm ci` unless everything of the lock file is installed in the version it names. */
async function setupPackages() {
  if (packagesMatch()) return;
  say("installing packages (npm ci)");
  // npm's own script when npm runs us; `npm` from the PATH otherwise, through a shell on Windows, where it is a batch file.
  const npm = process.env.npm_execpath;
  const [command, args] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
  const { code, output } = await run(command, [...args, "ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    shell: command === "npm" && process.platform === "win32",
    timeoutMs: 15 * 60_000,
  });
  if (code === 0 && packagesMatch()) return;
  throw new Problem(
    "SETUP-PACKAGES",
    `npm ci failed${code === 0 ? ": packages are still missing" : `: ${tellingLine(output)}`}`,
    "Check the network connection and npm's registry and proxy settings (npm config list), then run the same command again.",
  );
}

function packagesMatch() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    const installed = JSON.parse(readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
    // Optional packages are for other platforms.
    return Object.entries(wanted).every(
      ([path, { version, optional }]) =>
        path === "" || optional || (installed[path]?.version === version && existsSync(join(root, path))),
    );
  } catch {
    return false;
  }
}

async function setupBuild() {
  const { build, inputDigest, isFresh } = await import("./build.mjs");
  const digest = inputDigest();
  if (isFresh(undefined, digest)) return;
  say("building");
  try {
    await build({ digest });
  } catch (error) {
    throw new Problem(
      "SETUP-BUILD",
      `The build failed: ${error instanceof Error ? error.message : String(error)}`,
      "Undo local changes (git status shows them) or correct them; `npm run check` shows type errors.",
    );
  }
}

function readRecord() {
  try {
    return JSON.parse(readFileSync(record, "utf8"));
  } catch {
    return {};
  }
}

function writeRecord(content) {
  mkdirSync(dirname(record), { recursive: true });
  writeFileSync(record, `${JSON.stringify(content, undefined, 2)}\n`);
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}
