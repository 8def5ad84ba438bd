/** Bundles the alternatives for the page, from the packages installed beside this one; the published package depends on none of them. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { EngineError } from "../../errors.ts";
import type { SuiteName } from "./contract.ts";

interface PeerModule {
  /** Of bench/peers. */
  readonly module: string;
  /** What it needs, in the versions that it is written for. */
  readonly packages: Readonly<Record<string, string>>;
  readonly suites: readonly SuiteName[];
}

/** In the order in which they are measured. */
export const PEERS: readonly PeerModule[] = [
  { module: "mlMatrix", packages: { "ml-matrix": "6.15.1" }, suites: ["eigh"] },
  { module: "jaxJs", packages: { "@jax-js/jax": "0.1.25" }, suites: ["eigh", "matmul", "conv", "step"] },
  {
    module: "tensorflowJs",
    packages: { "@tensorflow/tfjs-core": "4.22.0", "@tensorflow/tfjs-backend-webgpu": "4.22.0" },
    suites: ["matmul", "conv", "step"],
  },
];

const BUNDLER = "vite";

export interface PeerBundle {
  /** Folder with `<module>.js` for each module, and their names in index.json. */
  readonly folder: string;
  readonly versions: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/**
 * @param packageRoot folder of this package
 * @param suites what will be measured: modules that offer nothing for it are left out
 * @throws EngineError BENCH-PEER-MISSING naming the packages and the command that installs them
 */
export async function bundlePeers(packageRoot: string, suites: readonly SuiteName[]): Promise<PeerBundle> {
  const versions = peerVersions(packageRoot, suites);
  const modules = modulesFor(suites).map(({ module }) => module);
  const { build } = await import("vite");
  const folder = await mkdtemp(join(tmpdir(), "eigenstep-peers-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await build({
      root: packageRoot,
      configFile: false,
      logLevel: "error",
      build: {
        target: "es2022",
        outDir: folder,
        emptyOutDir: false,
        lib: {
          entry: Object.fromEntries(
            modules.map((module) => [module, join(packageRoot, "bench", "peers", `${module}.ts`)]),
          ),
          formats: ["es"],
        },
        rolldownOptions: { output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" } },
      },
    });
    await writeFile(join(folder, "index.json"), JSON.stringify(modules));
  } catch (error) {
    await remove();
    throw error;
  }
  return { folder, versions, remove };
}

function modulesFor(suites: readonly SuiteName[]): readonly PeerModule[] {
  return PEERS.filter((peer) => peer.suites.some((suite) => suites.includes(suite)));
}

/** @throws EngineError BENCH-PEER-MISSING */
export function peerVersions(packageRoot: string, suites: readonly SuiteName[]): Record<string, string> {
  const packages = [...modulesFor(suites).flatMap((peer) => Object.entries(peer.packages)), [BUNDLER, "8"] as const];
  const wanted = packages.map(([name, version]) => ({ name, version }));
  const found = wanted.map(({ name }) => [name, installedVersion(packageRoot, name)] as const);
  const missing = found.filter(([, version]) => version === undefined).map(([name]) => name);
  if (missing.length > 0) {
    const packages = wanted
      .filter(({ name }) => missing.includes(name))
      .map(({ name, version }) => `${name}@${version}`);
    throw new EngineError({
      code: "BENCH-PEER-MISSING",
      message: `--peers compares with packages that are not installed: ${missing.join(", ")}`,
      fix: `Run \`npm install --no-save ${packages.join(" ")}\` in ${packageRoot}, or leave --peers out.`,
      where: "--peers",
      detail: { missing },
    });
  }
  return Object.fromEntries(found.filter(([name]) => name !== BUNDLER)) as Record<string, string>;
}

/** Reads the package.json nearest to a package's entry: most packages do not export theirs. */
function installedVersion(packageRoot: string, name: string): string | undefined {
  try {
    const entry = createRequire(join(packageRoot, "package.json")).resolve(name);
    for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
      const path = join(folder, "package.json");
      if (!existsSync(path)) continue;
      const json = JSON.parse(readFileSync(path, "utf8")) as { name?: string; version?: string };
      if (json.name === name) return json.version;
    }
  } catch {
    // Not installed.
  }
  return undefined;
}
