/** The layers of ARCHITECTURE.md, held by what files import; and a few properties of every source file. */
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, it } from "vitest";
import { filesBelow, REPOSITORY, textOf, withoutComments } from "./files.ts";

/**
 * Layer (folder of src) → layers it builds on directly; what those build on is allowed too. Siblings do not see each other.
 * A folder that is not listed fails the test: a new layer is a decision.
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  device: ["errors"],
  kernels: ["device"],
  linalg: ["kernels"],
  // Solvers stand on kernels alone, so that an application takes them without the graph; ops put them into graphs.
  ops: ["linalg"],
  autodiff: ["ops"],
  nn: ["autodiff"],
  ssl: ["autodiff"],
  // The optimiser asks for the gradients itself: optim sees autodiff, autodiff does not see optim.
  optim: ["autodiff"],
  augment: ["autodiff"],
  // Networks of the theory, with the losses they are studied under.
  dual: ["nn", "ssl"],
  train: ["nn", "ssl", "optim", "augment"],
  spectrum: ["linalg"],
  theory: ["errors"],
  data: ["errors"],
  kernelMethods: ["linalg", "autodiff", "theory"],
  // Features of images and classifiers on them; knows networks and images, no run.
  evaluation: ["train", "data"],
  experiments: ["train", "dual", "spectrum", "kernelMethods", "theory", "data", "evaluation"],
  // Run folders read back and drawn; no GPU. Node and packages as in the command, whose part it is.
  report: ["experiments"],
  cli: ["report"],
  demos: ["experiments"],
};

/** What lies outside src and who may import it: shaders by kernels alone; build tools, oracles and package.json by the command alone. */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  shaders: ["kernels"],
  tools: ["cli"],
  // The float64 oracles, which `eigenstep info` checks the kernels against.
  test: ["cli"],
  "package.json": ["cli"],
};

/** Packages and node modules: the library has no runtime dependency but Dawn, in Node, behind one file. */
const PACKAGES: Readonly<Record<string, (name: string) => boolean>> = {
  "src/device/nodeRuntime.ts": (name) => name === "webgpu" || name.startsWith("node:"),
};

/** Files directly in src that do more than re-export, with the reason. */
const SURFACE_WITH_CODE: Readonly<Record<string, string>> = {
  "src/node.ts": "joins device/engine and device/nodeRuntime, which browsers must not bundle together",
};

interface Import {
  readonly from: string;
  /** Path from the repository's root for relative imports, package name otherwise. */
  readonly target: string;
  readonly isRelative: boolean;
  readonly isTypeOnly: boolean;
}

const IMPORT =
  /^[ \t]*(?:import|export)\s+(type\s+)?(?:[\w$*{},\s]+?\s+from\s+)?"([^"\n]+)"|\bimport\(\s*"([^"\n]+)"\s*\)/gm;

function importsOf(file: string): Import[] {
  return [...withoutComments(textOf(file)).matchAll(IMPORT)].map(([, type, staticName, dynamicName]) => {
    const name = staticName ?? dynamicName ?? "";
    const isRelative = name.startsWith(".");
    return {
      from: file,
      target: isRelative ? posix.join(posix.dirname(file), name.replace(/\?.*$/, "")) : name,
      isRelative,
      isTypeOnly: type !== undefined,
    };
  });
}

/** The layer of a file: folder of src, `demos`, `errors`; undefined for the subpath files src/*.ts, which only re-export. */
function layerOf(file: string): string | undefined {
  if (file === "src/errors.ts") return "errors";
  const [root, folder, ...rest] = file.split("/");
  if (root !== "src") return root;
  return rest.length > 0 ? folder : undefined;
}

function allowedBelow(layer: string): Set<string> {
  const seen = new Set<string>();
  const visit = (name: string) => {
    for (const below of LAYERS[name] ?? []) {
      if (seen.has(below)) continue;
      seen.add(below);
      visit(below);
    }
  };
  visit(layer);
  return seen;
}

const files = [...filesBelow("src", ".ts"), ...filesBelow("demos", ".ts")].filter((file) => !file.endsWith(".d.ts"));
const imports = files.flatMap(importsOf);

describe("layers", () => {
  it("the imports are found", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(imports.filter(({ isRelative }) => isRelative).length).toBeGreaterThan(50);
  });

  it("every folder of src is a layer of the table", () => {
    const layers = new Set(files.map(layerOf).filter((layer) => layer !== undefined));
    expect([...layers].filter((layer) => !(layer in LAYERS))).toEqual([]);
  });

  it("the table itself has no cycle", () => {
    expect(Object.keys(LAYERS).filter((layer) => allowedBelow(layer).has(layer))).toEqual([]);
  });

  it("a file imports its own layer and those below, never one above or beside", () => {
    const crossed = imports.filter(({ from, target, isRelative }) => {
      const layer = layerOf(from);
      const other = layerOf(target);
      if (!isRelative || layer === undefined || other === layer) return false;
      // The public surface, src/*.ts, is for the command and the pages.
      if (other === undefined) return layer !== "cli" && layer !== "demos";
      const outside = OUTSIDE[other];
      return outside ? !outside.includes(layer) : !allowedBelow(layer).has(other);
    });
    expect(crossed.map(({ from, target }) => `${from} → ${target}`)).toEqual([]);
  });

  it("relative imports name a file, with its extension", () => {
    const missing = imports.filter(({ target, isRelative }) => isRelative && !existsSync(join(REPOSITORY, target)));
    expect(missing.map(({ from, target }) => `${from} → ${target}`)).toEqual([]);
  });

  it("only the command, its reports and the pages use packages; the library none", () => {
    const users = imports.filter(({ from, target, isRelative }) => {
      const layer = layerOf(from) ?? "";
      return !isRelative && !["report", "cli", "demos"].includes(layer) && !PACKAGES[from]?.(target);
    });
    expect(users.map(({ from, target }) => `${from} → ${target}`)).toEqual([]);
  });

  it("no file imports itself through others (type-only imports, which are erased, aside)", () => {
    const next = new Map<string, string[]>();
    for (const { from, target, isRelative, isTypeOnly } of imports) {
      if (isRelative && !isTypeOnly) next.set(from, [...(next.get(from) ?? []), target]);
    }
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      if (done.has(file) || path.includes(file)) return;
      for (const target of next.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

describe("source files", () => {
  const sources = filesBelow("src", ".ts");

  it("have no mutable state at module level", () => {
    // Variables, and containers that begin empty and so can only be meant to be filled.
    const mutable =
      /^(?:export )?(?:(?:let|var)\s.*|const \w+[^=\n]*= (?:new (?:Map|Set|WeakMap|WeakSet|Array)(?:<[^\n]*>)?\(\)|\[\]|\{\});?)$/m;
    const found = sources.filter((file) => mutable.test(withoutComments(textOf(file))));
    expect(found.map((file) => `${file}: ${mutable.exec(withoutComments(textOf(file)))?.[0]}`)).toEqual([]);
  });

  it("named index.ts, or directly in src, only re-export", () => {
    const surface = sources.filter((file) => {
      const isSurface = file.endsWith("/index.ts") || (file.startsWith("src/") && layerOf(file) === undefined);
      return isSurface && !(file in SURFACE_WITH_CODE);
    });
    const others = surface.filter(
      (file) =>
        withoutComments(textOf(file))
          .replace(/^export\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+"[^"]+";/gm, "")
          .trim() !== "",
    );
    expect(others).toEqual([]);
  });

  it("have at most 400 lines", () => {
    const long = sources
      .map((file) => `${file}: ${textOf(file).trimEnd().split("\n").length}`)
      .filter((line) => Number(line.split(": ")[1]) > 400);
    expect(long).toEqual([]);
  });
});
