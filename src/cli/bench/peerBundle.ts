/** Bundles the alternatives for the page, from the packages installed beside this one; the published package depends on none of them. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { EngineError } from "../../errors.ts";

/** Modules of bench/peers, in the order in which they are measured, with the package each one needs and the version it is written for. */
export const PEERS = [
  { module: "mlMatrix", package: "ml-matrix", version: "6.15.1" },
  { module: "jaxJs", package: "@jax-js/jax", version: "0.1.25" },
] as const;

const BUNDLER = "vite";

export interface PeerBundle {
  /** Folder with `<module>.js` for each of `PEERS`. */
  readonly folder: string;
  readonly versions: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/**
 * @param packageRoot folder of this package
 * @throws EngineError BENCH-PEER-MISSING naming the packages and the command that installs them
 */
export async function bundlePeers(packageRoot: string): Promise<PeerBundle> {
  const versions = peerVersions(packageRoot);
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
            PEERS.map(({ module }) => [module, join(packageRoot, "bench", "peers", `${module}.ts`)]),
          ),
          formats: ["es"],
        },
        rolldownOptions: { output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" } },
      },
    });
    await writeFile(join(folder, "index.json"), JSON.stringify(PEERS.map(({ module }) => module)));
  } catch (error) {
    await remove();
    throw error;
  }
  return { folder, versions, remove };
}

/** @throws EngineError BENCH-PEER-MISSING */
export function peerVersions(packageRoot: string): Record<string, string> {
  const wanted = [...PEERS.map(({ package: name, version }) => ({ name, version })), { name: BUNDLER, version: "8" }];
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
