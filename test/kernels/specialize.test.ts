import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { evaluateInteger } from "../../src/kernels/constantExpression.ts";
import { buildKernel, defineKernel } from "../../src/kernels/kernel.ts";
import type { KnobInfo, ShaderModule } from "../../src/kernels/shaderModule.ts";
import { type KnobValues, specialize } from "../../src/kernels/specialize.ts";
import { useEngine } from "../support/device.ts";
import { testShader } from "./testShader.ts";

const engine = useEngine();

/** A module of plain text: specialize() reads code, knobs and the line table only. */
function moduleOf(lines: readonly string[], knobs: Record<string, KnobInfo> = {}): ShaderModule {
  return {
    name: "toy",
    entry: "toy",
    code: `${lines.join("\n")}\n`,
    sources: ["toy.wgsl"],
    lines: [[1, 0, 1]],
    features: [],
    bindings: {},
    params: null,
    knobs,
  };
}

/** Code lines after specialisation, without indentation and the blocks' braces. */
function lower(
  lines: readonly string[],
  knobs: Record<string, KnobInfo> = {},
  values: KnobValues = {},
  options = {},
): string[] {
  const { code } = specialize(moduleOf(lines, knobs), values, options);
  return code
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "{" && line !== "}");
}

function errorOf(work: () => unknown): EngineError {
  try {
    work();
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

describe("knobs", () => {
  const lines = [
    "override WG: u32 = 64u;",
    "const ROWS: u32 = 8u; //#knob",
    "const FLAG: bool = false; //#knob",
    "override EPS: f32 = 0.5; // kept",
    "const SHIFT: i32 = -1; //#knob",
    "const OTHER: u32 = 3u;",
  ];
  const knobs: Record<string, KnobInfo> = {
    WG: { type: "u32", default: 64 },
    ROWS: { type: "u32", default: 8 },
    FLAG: { type: "bool", default: false },
    EPS: { type: "f32", default: 0.5 },
    SHIFT: { type: "i32", default: -1 },
  };

  it("become constants, with defaults where nothing is given", () => {
    expect(lower(lines, knobs)).toEqual([
      "const WG: u32 = 64u;",
      "const ROWS: u32 = 8u;",
      "const FLAG: bool = false;",
      "const EPS: f32 = 0.5f; // kept",
      "const SHIFT: i32 = -1i;",
      "const OTHER: u32 = 3u;",
    ]);
  });

  it("take values of their type", () => {
    const values = { WG: 16, ROWS: 0, FLAG: true, EPS: 3, SHIFT: 5 };
    expect(lower(lines, knobs, values).slice(0, 5)).toEqual([
      "const WG: u32 = 16u;",
      "const ROWS: u32 = 0u;",
      "const FLAG: bool = true;",
      "const EPS: f32 = 3f; // kept",
      "const SHIFT: i32 = 5i;",
    ]);
    expect(lower(lines, knobs, { EPS: 1e-7 })[3]).toBe("const EPS: f32 = 1e-7f; // kept");
    expect(lower(lines, knobs, { EPS: 1e30 })[3]).toBe("const EPS: f32 = 1e+30f; // kept");
  });

  it("an unknown name is refused, and the known ones are listed", () => {
    const error = errorOf(() => lower(lines, knobs, { WGS: 1 }));
    expect(error.code).toBe("KERNEL-KNOB");
    expect(error.message).toContain("no knob WGS");
    expect(error.message).toContain("WG, ROWS, FLAG, EPS, SHIFT");
  });

  const WRONG: readonly KnobValues[] = [
    { WG: 1.5 },
    { WG: -1 },
    { WG: 2 ** 32 },
    { WG: true },
    { WG: Number.NaN },
    { FLAG: 1 },
    { FLAG: 0 },
    { EPS: Number.POSITIVE_INFINITY },
    { EPS: 1e39 },
    { EPS: false },
    { SHIFT: 2 ** 31 },
    { SHIFT: 0.5 },
  ];
  for (const values of WRONG) {
    it(`refuses ${Object.entries(values).map(([name, value]) => `${name} = ${value}`)}`, () => {
      const error = errorOf(() => lower(lines, knobs, values));
      expect(error.code).toBe("KERNEL-KNOB");
      expect(error.message).toContain(Object.keys(values)[0]);
    });
  }
});

describe("unrolling", () => {
  it("writes the body once per value, from, to and step being constant expressions", () => {
    const lines = [
      "const N: u32 = 3u;",
      "for (var i = 1u; i < 2u * N + 1u; i += N - 1u) { //#unroll",
      "  f(i, i + 1u);",
      "}",
    ];
    expect(lower(lines).slice(1)).toEqual(["f(1u, 1u + 1u);", "f(3u, 3u + 1u);", "f(5u, 5u + 1u);"]);
  });

  it("nested loops, the inner one bounded by the outer variable", () => {
    const lines = [
      "for (var i = 0u; i < 3u; i++) { //#unroll",
      "  for (var j = 0u; j < i; j++) { //#unroll",
      "    f(i, j);",
      "  }",
      "}",
      "g();",
    ];
    expect(lower(lines)).toEqual(["f(1u, 0u);", "f(2u, 0u);", "f(2u, 1u);", "g();"]);
  });

  it("an unmarked loop between two marked ones stays a loop", () => {
    const lines = [
      "for (var i = 0u; i < 2u; i++) { //#unroll",
      "  for (var k = 0u; k < i; k++) {",
      "    f(i, k);",
      "  }",
      "}",
    ];
    expect(lower(lines)).toEqual([
      "for (var k = 0u; k < 0u; k++) {",
      "f(0u, k);",
      "for (var k = 0u; k < 1u; k++) {",
      "f(1u, k);",
    ]);
  });

  it("a trip count of zero leaves nothing", () => {
    expect(lower(["const N: u32 = 0u;", "for (var i = 0u; i < N; i++) { //#unroll", "  f(i);", "}"])).toEqual([
      "const N: u32 = 0u;",
    ]);
  });

  it("only the variable is replaced: not longer names, members or swizzles of that name", () => {
    const lines = ["for (var x = 0u; x < 1u; x++) { //#unroll", "  f(x, xx, x1, v.x, params.x, v[x].x);", "}"];
    expect(lower(lines)).toEqual(["f(0u, xx, x1, v.x, params.x, v[0u].x);"]);
  });

  it("can be left out", () => {
    const lines = ["for (var i = 0u; i < 2u; i++) { //#unroll", "f(i);"];
    expect(lower(lines, {}, {}, { unroll: false })).toEqual(lines);
  });

  const REFUSED: Record<string, readonly string[]> = {
    "no constant trip count": ["f();", "for (var i = 0u; i < params.n; i++) { //#unroll", "}"],
    "not of the form": ["f();", "for (var i = 8u; i > 0u; i--) { //#unroll", "}"],
    "counts in i32": ["f();", "for (var i = 0; i < 4; i++) { //#unroll", "}"],
    "contains break or continue": ["for (var i = 0u; i < 4u; i++) { //#unroll", "  break;", "}"],
  };
  for (const [why, lines] of Object.entries(REFUSED)) {
    it(`refuses a loop with file and line: ${why}`, () => {
      const error = errorOf(() => lower(lines));
      expect(error.code).toBe("KERNEL-UNROLL");
      expect(error.message).toContain("toy.wgsl:2: ");
      expect(error.message).toContain(why);
    });
  }
});

describe("register arrays", () => {
  it("become scalars when every index is constant after unrolling", () => {
    const lines = [
      "const ROWS: u32 = 2u;",
      "fn f() {",
      "  var acc: array<vec4<f32>, ROWS>;",
      "  for (var r = 0u; r < ROWS; r++) { //#unroll",
      "    acc[r] += b[r].x * acc[ROWS - 1u - r];",
      "  }",
      "  return acc[1];",
      "}",
    ];
    expect(lower(lines).slice(2)).toEqual([
      "var acc_0: vec4<f32>; var acc_1: vec4<f32>;",
      "acc_0 += b[0u].x * acc_1;",
      "acc_1 += b[1u].x * acc_0;",
      "return acc_1;",
    ]);
  });

  const LEFT: Record<string, string> = {
    "indexed dynamically": "x = t[lane];",
    "indexed by another array": "x = t[index[0u]];",
    "used as a whole": "g(t);",
    "indexed beyond its end": "x = t[4u];",
    "behind a pointer": "g(&t);",
  };
  for (const [why, use] of Object.entries(LEFT)) {
    it(`stay arrays when ${why}`, () => {
      const lines = ["fn f() {", "var t: array<f32, 4>;", "t[0u] = 1.0;", use];
      expect(lower([...lines, "}"])).toEqual(lines);
    });
  }

  it("end with their block: the same name later is another array", () => {
    const lines = [
      "fn f() {",
      "  var t: array<f32, 1>;",
      "  t[0u] = 1.0;",
      "}",
      "fn g() {",
      "  var t: array<f32, 2>;",
      "  t[lane] = 1.0;",
      "}",
    ];
    expect(lower(lines)).toEqual([
      "fn f() {",
      "var t_0: f32;",
      "t_0 = 1.0;",
      "fn g() {",
      "var t: array<f32, 2>;",
      "t[lane] = 1.0;",
    ]);
  });

  it("are not touched without unrolling", () => {
    const lines = ["fn f() {", "var t: array<f32, 1>;", "t[0u] = 1.0;"];
    expect(lower(lines, {}, {}, { unroll: false })).toEqual(lines);
  });
});

describe("constant integer expressions", () => {
  const constants = new Map([
    ["N", 7],
    ["ROWS", 4],
  ]);
  const CASES: Record<string, number | undefined> = {
    "3": 3,
    "3u": 3,
    "3i": 3,
    N: 7,
    "N + 1u": 8,
    "N - 1u - 2u": 4,
    "2u * (N + 1u) / 3u": 5,
    "N % 4u": 3,
    "ROWS / 4u": 1,
    "16u*ROWS": 64,
    "((N))": 7,
    "N / 0u": undefined,
    M: undefined,
    "N +": undefined,
    "(N": undefined,
    "N)": undefined,
    "": undefined,
    "1.5": undefined,
    "0x10": undefined,
    "u32(N)": undefined,
    "N.x": undefined,
    "a[N]": undefined,
    "-1": undefined,
    "1 << 2": undefined,
  };
  for (const [text, value] of Object.entries(CASES)) {
    it(`${text || "(empty)"} → ${value}`, () => expect(evaluateInteger(text, constants)).toBe(value));
  }
});

describe("origins of lines", () => {
  it("every line of the code knows its file and line, also after unrolling", () => {
    const { code, origins } = specialize(testShader("broken_main", "tests"));
    const lines = code.trimEnd().split("\n");
    expect(origins).toHaveLength(lines.length);
    lines.forEach((line, index) => {
      if (line.includes("fn once")) expect(origins[index]).toBe("lib/harmless.wgsl:2");
      if (line.includes("const WG")) expect(origins[index]).toBe("broken_main.wgsl:3");
      if (line.includes("= once(")) expect(origins[index]).toBe("broken_main.wgsl:10");
      if (line.includes("undeclared_name")) expect(origins[index]).toBe("broken_main.wgsl:15");
    });
    expect(lines.filter((line) => line.includes("= once("))).toHaveLength(6);
  });

  const PLACES = {
    broken_include: "lib/undeclared.wgsl:4",
    broken_main: "broken_main.wgsl:15",
    broken_loop: "broken_loop.wgsl:9",
  };
  for (const [name, place] of Object.entries(PLACES)) {
    for (const unroll of [true, false]) {
      it(`a compile error of ${name} names shaders/${place}${unroll ? "" : ", rolled"}`, async () => {
        const kernel = defineKernel(testShader(name, "tests"), () => [1, 1, 1]);
        const error = await buildKernel(engine(), kernel, {}, { unroll }).catch((cause: unknown) => cause);
        expect(error).toBeInstanceOf(EngineError);
        expect(error).toMatchObject({ code: "KERNEL-COMPILE", where: place });
        expect((error as EngineError).message).toContain(`shaders/${place}: `);
      });
    }
  }
});
