/** The package as its users get it: packed, installed in an empty project elsewhere, imported, bundled, type-checked, and run. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import packageJson from "../../package.json" with { type: "json" };

const run = promisify(execFile);
const root = resolve(".");
/** Import paths that give values, the vite plugin aside (a development tool). */
const SUBPATHS = Object.keys(packageJson.exports).filter((path) => !/package\.json|shaders|vite/.test(path));

let project = "";
let tarball = "";

beforeAll(async () => {
  project = await realpath(await mkdtemp(join(tmpdir(), "eigenstep-consumer-")));
  // Packing builds, with declarations.
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", project], { cwd: root });
  tarball = join(project, stdout.trim().split("\n").at(-1) ?? "");
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  await run("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", "--legacy-peer-deps", tarball], {
    cwd: project,
  });
}, 180_000);

afterAll(() => rm(project, { recursive: true, force: true }));

/** Lets the consumer use a package that is installed here, as if it had installed it. */
async function lend(name: string): Promise<void> {
  const target = join(project, "node_modules", name);
  await mkdir(resolve(target, ".."), { recursive: true });
  await symlink(join(root, "node_modules", name), target).catch(() => {});
}

describe("the packed package", () => {
  it("installs nothing but itself", async () => {
    const installed = await readdir(join(project, "node_modules"));
    expect(installed.filter((name) => !name.startsWith("."))).toEqual(["eigenstep"]);
  });

  it("is imported in Node by every subpath", async () => {
    const script = SUBPATHS.map((path) => {
      const name = path.replace(".", "eigenstep");
      return `console.log(${JSON.stringify(path)}, Object.keys(await import(${JSON.stringify(name)})).length > 0);`;
    });
    const { stdout } = await run("node", ["--input-type=module", "-e", script.join("\n")], { cwd: project });
    expect(stdout.trim().split("\n")).toEqual(SUBPATHS.map((path) => `${path} true`));
  });

  it("is bundled by vite for browsers, and tree-shakes to what is used", async () => {
    await lend("vite");
    await writeFile(
      join(project, "all.js"),
      SUBPATHS.filter((path) => path !== "./node")
        .map((path, i) => `export * as m${i} from ${JSON.stringify(path.replace(".", "eigenstep"))};`)
        .join("\n"),
    );
    await writeFile(join(project, "eigh.js"), 'export { eigh } from "eigenstep/linalg";');
    const { build } = await import("vite");
    const sizeOf = async (entry: string): Promise<number> => {
      await build({
        root: project,
        configFile: false,
        logLevel: "silent",
        build: {
          outDir: `out-${entry}`,
          lib: { entry: join(project, `${entry}.js`), formats: ["es"], fileName: entry },
        },
      });
      return (await readFile(join(project, `out-${entry}`, `${entry}.js`))).byteLength;
    };
    const [all, eigh] = [await sizeOf("all"), await sizeOf("eigh")];
    expect(all).toBeGreaterThan(50_000);
    expect(eigh).toBeLessThan(all / 2);
  });

  it.each(["bundler", "nodenext"])(
    "has types that a strict project checks (moduleResolution %s)",
    async (resolution) => {
      await lend("@webgpu/types");
      await lend("vite");
      await lend("@types/node");
      const uses = [
        'import { Engine, Graph, matmul, type Plan } from "eigenstep";',
        'import { eigh, type EighResult } from "eigenstep/linalg";',
        'import { linearTheory } from "eigenstep/theory";',
        'import { encodeNpy } from "eigenstep/data";',
        'import { defineKernel } from "eigenstep/kernels";',
        'import { requestNodeEngine } from "eigenstep/node";',
        'import wgsl from "eigenstep/vite";',
        "export const used = [Engine, Graph, matmul, linearTheory, encodeNpy, defineKernel, requestNodeEngine, wgsl];",
        "export const solve = (engine: Engine): Promise<EighResult> => eigh(engine, new Float32Array(4), { n: 2, batch: 1 });",
        "export type P = Plan;",
        "// @ts-expect-error a misspelt option is a type error",
        "export const bad = (engine: Engine) => eigh(engine, new Float32Array(4), { order: 2 });",
      ];
      await writeFile(join(project, "use.ts"), uses.join("\n"));
      const options = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--target",
        "es2022",
        "--module",
        resolution === "nodenext" ? "nodenext" : "esnext",
        "--moduleResolution",
        resolution,
        "--types",
        "@webgpu/types,node",
        "--lib",
        "es2023,esnext.disposable,dom",
      ];
      const checked = await run(join(root, "node_modules", ".bin", "tsc"), [...options, "use.ts"], {
        cwd: project,
      }).catch((error: { stdout: string }) => error);
      expect(checked.stdout).toBe("");
    },
  );

  it("runs its command, and says what to install when a runtime is missing", async () => {
    const bin = join(project, "node_modules", ".bin", "eigenstep");
    const environment = { ...process.env, EIGENSTEP_BROWSER: "", PATH: process.env.PATH };
    expect((await run(bin, ["--version"], { cwd: project })).stdout.trim()).toBe(packageJson.version);
    const missing = await run(bin, ["plan", "linear-synthetic", "--runtime", "node"], {
      cwd: project,
      env: environment,
    }).catch((error: { code: number; stderr: string }) => error);
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/error DEVICE-NO-DAWN[\s\S]*npm install webgpu/),
    });
    await lend("webgpu");
    const { stdout } = await run(
      bin,
      ["train", "linear-synthetic", "--steps", "20", "--runtime", "node", "--json", "--out", "r"],
      { cwd: project },
    );
    expect(JSON.parse(stdout)).toMatchObject({ preset: "linear-synthetic", steps: 20, runtime: "node" });
  });

  it("publint has nothing to say", async () => {
    const { stdout } = await run(join(root, "node_modules", ".bin", "publint"), [tarball, "--strict"], { cwd: root });
    expect(stdout).toMatch(/All good/);
  });

  it("attw finds every type where ES modules look for it", async () => {
    const arguments_ = [
      tarball,
      "--profile",
      "esm-only",
      "--exclude-entrypoints",
      "./shaders/*",
      "package.json",
      "--format",
      "json",
    ];
    const { stdout } = await run(join(root, "node_modules", ".bin", "attw"), arguments_, { cwd: root }).catch(
      (error: { stdout: string }) => error,
    );
    const { analysis } = JSON.parse(stdout) as {
      analysis: { problems: { kind: string; resolutionKind?: string; entrypoint?: string }[] };
    };
    // ES modules only: what CommonJS and node10 would not find is by design.
    const problems = analysis.problems.filter(
      ({ resolutionKind }) => resolutionKind !== "node10" && resolutionKind !== "node16-cjs",
    );
    expect(problems).toEqual([]);
  });
});
