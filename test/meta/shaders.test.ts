/** What every shader file must be, as docs and style say: header, bindings, limits, no poor built-ins, no race. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { evaluateInteger } from "../../src/kernels/constantExpression.ts";
import { library } from "../../src/kernels/registry.ts";
import type { BindingInfo } from "../../src/kernels/shaderModule.ts";
import { specialize } from "../../src/kernels/specialize.ts";
import { compileShader } from "../../tools/wgsl/compile.mjs";
import { kernelFiles, staleDeclarations } from "../../tools/wgsl/declarations.mjs";
import { filesBelow, REPOSITORY, textOf, withoutComments } from "./files.ts";

const ROOT = join(REPOSITORY, "shaders");
const KERNELS = kernelFiles(ROOT);
const withoutLineComments = (code: string) => code.replace(/\/\/.*/g, "");
const nameOf = (file: string) => file.replace(/^.*\//, "").replace(/\.wgsl$/, "");

describe.each(KERNELS)("shaders/%s", (file) => {
  const text = textOf(`shaders/${file}`);
  const name = nameOf(file);
  const { module } = compileShader(join(ROOT, file), ROOT);
  const bindings = Object.values(module.bindings as Record<string, BindingInfo>);

  it("opens with its name and one sentence", () => {
    expect(text.split("\n")[0]).toMatch(new RegExp(`^// ${name} — \\S.*[.;]?$`));
  });

  it("has every field of the header", () => {
    const header = text.slice(0, text.search(/^[^/\n]/m));
    for (const field of ["Layout", "Dispatch", "Error", "Backward", "Oracle", "Source"]) {
      expect(header, field).toMatch(new RegExp(`^// (?:.* )?${field} +\\S`, "m"));
    }
    if (Object.keys(module.knobs).length > 0) {
      for (const knob of Object.keys(module.knobs))
        expect(header, `knob ${knob} is described`).toMatch(new RegExp(`\\b${knob}\\b`));
    }
  });

  it("names an oracle that exists and is tested under its own name", () => {
    const oracle = /Oracle\s+(test\/\S+\.ts)/.exec(text)?.[1] ?? "";
    expect(existsSync(join(REPOSITORY, oracle)), oracle).toBe(true);
    const tests = filesBelow("test", ".test.ts").filter((path) => !path.startsWith("test/meta/"));
    expect(
      tests.some((path) => new RegExp(`\\b${name}\\b`).test(textOf(path))),
      `a test that names ${name}`,
    ).toBe(true);
  });

  it("has one entry point, named as the file", () => {
    expect([...text.matchAll(/@compute[\s\S]*?\bfn\s+(\w+)/g)].map((match) => match[1])).toEqual([name]);
    expect(module.entry).toBe(name);
  });

  it("binds group 0 in order, the uniform first, at most 8 storage buffers", () => {
    expect(bindings.every(({ group }) => group === 0)).toBe(true);
    expect(bindings.map(({ binding }) => binding)).toEqual(bindings.map((_, index) => index));
    expect(bindings.slice(1).every(({ type }) => type !== "uniform")).toBe(true);
    expect(bindings.filter(({ type }) => type !== "uniform").length).toBeLessThanOrEqual(8);
    // Inputs before outputs.
    const kinds = bindings.filter(({ type }) => type !== "uniform").map(({ type }) => (type === "storage" ? 1 : 0));
    expect(kinds).toEqual([...kinds].sort());
  });

  it("fits the limits of every device with its default knobs", () => {
    const { invocations, workgroupBytes } = sizes(specialize(module).code);
    expect(invocations).toBeGreaterThan(0);
    expect(invocations).toBeLessThanOrEqual(256);
    expect(workgroupBytes).toBeLessThanOrEqual(16_384);
  });

  it("is in the kernel library", () => {
    expect(Object.values(library).filter((kernel) => kernel.name === file.replace(/\.wgsl$/, ""))).toHaveLength(1);
  });
});

const BYTES: Record<string, number> = {
  f32: 4,
  u32: 4,
  i32: 4,
  "vec2<f32>": 8,
  "vec2<u32>": 8,
  "vec4<f32>": 16,
  "vec4<u32>": 16,
  "mat4x4<f32>": 64,
};

/** Invocations per workgroup and bytes of workgroup memory of code whose knobs are constants. */
function sizes(code: string): { invocations: number; workgroupBytes: number } {
  const constants = new Map<string, number>();
  for (const [, name = "", value = ""] of code.matchAll(/^const\s+(\w+)\s*:\s*u32\s*=\s*([^;]+);/gm)) {
    const number = evaluateInteger(value, constants);
    if (number !== undefined) constants.set(name, number);
  }
  const size = /@workgroup_size\(([^)]*)\)/.exec(code)?.[1] ?? "";
  const invocations = size
    .split(",")
    .reduce((product, text) => product * (evaluateInteger(text, constants) ?? Number.NaN), 1);
  let workgroupBytes = 0;
  for (const [, type = ""] of code.matchAll(/var<workgroup>\s*\w+\s*:\s*([^;]+);/g)) {
    const array = /^array<(.+),([^,]+)>$/.exec(type.trim());
    const bytes = BYTES[array?.[1]?.trim() ?? type.trim()] ?? Number.NaN;
    workgroupBytes += bytes * (array ? (evaluateInteger(array[2] ?? "", constants) ?? Number.NaN) : 1);
  }
  return { invocations, workgroupBytes };
}

describe("all shader files", () => {
  const all = filesBelow("shaders", ".wgsl");

  it("use no built-in whose accuracy WGSL leaves poor, outside lib/math.wgsl", () => {
    const poor = /\b(?:sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|asinh|acosh|atanh|exp|exp2|log|log2|pow)\s*\(/;
    const users = all.filter(
      (file) => file !== "shaders/lib/math.wgsl" && poor.test(withoutLineComments(textOf(file))),
    );
    expect(users).toEqual([]);
  });

  it("do not test for NaN by x != x, which compilers may fold to false", () => {
    const selfTest = /([\w.]+(?:\[[^\]]*\])?)\s*[!=]=\s*\1(?![\w.[(])/;
    expect(all.filter((file) => selfTest.test(withoutLineComments(textOf(file))))).toEqual([]);
  });

  it("includes hold no bindings and no entry points", () => {
    const includes = all.filter((file) => file.startsWith("shaders/lib/"));
    expect(includes.filter((file) => /@(?:binding|compute)\b/.test(withoutLineComments(textOf(file))))).toEqual([]);
  });

  it("the committed declarations are fresh (npm run gen)", () => {
    expect(staleDeclarations(ROOT).map(({ file }) => file)).toEqual([]);
  });

  it("the library has no kernel without a shader file", () => {
    const names = Object.values(library).map((kernel) => `${kernel.name}.wgsl`);
    expect(names.sort()).toEqual([...KERNELS]);
  });

  it("there is no WGSL in TypeScript", () => {
    const sources = [...filesBelow("src", ".ts"), ...filesBelow("demos", ".ts")].filter(
      (file) => !file.endsWith(".d.wgsl.ts"),
    );
    const shader = /@compute\b|@workgroup_size\b|@binding\(|var<storage|var<uniform|var<workgroup/;
    expect(sources.filter((file) => shader.test(withoutComments(textOf(file))))).toEqual([]);
  });
});
