/**
 * The one lowering step between a shader file and the code a device compiles: knobs become constants, marked loops are written out,
 * branches on constants are decided, and register arrays that are then indexed by constants alone become scalars.
 *
 * Why not WebGPU's pipeline-overridable constants: a function-scope array may not have an overridable size, and a register tile kept
 * in an array with loops over it runs about five times slower on a software adapter than the same tile written out; such an adapter also
 * executes both sides of a branch on a constant.
 */
import { EngineError } from "../errors.ts";
import { type Constant, evaluateConstant, evaluateInteger } from "./constantExpression.ts";
import type { ShaderModule } from "./shaderModule.ts";

export type KnobValues = Readonly<Record<string, number | boolean>>;

export interface SpecializedShader {
  readonly code: string;
  /** For each line of `code`, where it came from, as `file:line`. */
  readonly origins: readonly string[];
}

interface Line {
  readonly text: string;
  readonly origin: string;
}

const DECLARATION =
  /^(\s*)(?:override\s+([A-Z][A-Z0-9_]*)\s*:\s*(u32|i32|f32|bool)\s*=[^;]*;|const\s+([A-Z][A-Z0-9_]*)\s*:\s*(u32|i32|f32|bool)\s*=[^;]*;\s*\/\/#knob)(.*)$/;
const LOOP =
  /^\s*for\s*\(\s*var\s+(\w+)\s*=\s*([^;]+);\s*\1\s*<\s*([^;]+);\s*\1\s*(?:\+\+|\+=\s*([^)]+))\s*\)\s*\{\s*\/\/#unroll\s*$/;
const CONSTANT = /^\s*const\s+(\w+)\s*(?::\s*(?:[ui]32|bool))?\s*=\s*([^;]+);/;
const ARRAY = /^(\s*)var\s+(\w+)\s*:\s*array<(.+),\s*([^,>]+)>\s*;\s*$/;

/**
 * @param module shader file
 * @param values knob values; unnamed knobs keep their defaults
 * @param options.unroll false keeps marked loops rolled (tests compare both)
 * @throws EngineError KERNEL-KNOB for an unknown knob or a value that does not fit its type,
 *         KERNEL-UNROLL for a marked loop without a constant trip count, counting in i32, or with break or continue in it
 */
export function specialize(
  module: ShaderModule<unknown, unknown, unknown>,
  values: KnobValues = {},
  options: { readonly unroll?: boolean } = {},
): SpecializedShader {
  let lines = lowerKnobs(module as ShaderModule, values);
  if (options.unroll !== false) {
    const constants = namedConstants(lines);
    lines = scalarizeArrays(decideBranches(unrollLoops(lines, constants, module.name), constants), constants);
  }
  return { code: `${lines.map((line) => line.text).join("\n")}\n`, origins: lines.map((line) => line.origin) };
}

/** Splits the code into lines that know their file. */
function sourceLines(module: ShaderModule): Line[] {
  let run = 0;
  return module.code
    .trimEnd()
    .split("\n")
    .map((text, index) => {
      while (run + 1 < module.lines.length && (module.lines[run + 1]?.[0] ?? Infinity) <= index + 1) run++;
      const [first, source, sourceLine] = module.lines[run] ?? [1, 0, 1];
      return { text, origin: `${module.sources[source] ?? module.name}:${sourceLine + index + 1 - first}` };
    });
}

function knobLiteral(name: string, type: string, value: number | boolean, where: string): string {
  const fail = (why: string): never => {
    throw new EngineError({
      code: "KERNEL-KNOB",
      message: `${where}: knob ${name} is ${type} and cannot be ${String(value)} (${why})`,
      fix: `Pass a ${type} value for ${name}.`,
      where,
    });
  };
  if (type === "bool") return typeof value === "boolean" ? String(value) : fail("not a boolean");
  if (typeof value !== "number" || !Number.isFinite(value)) return fail("not a finite number");
  if (type === "f32") return Number.isFinite(Math.fround(value)) ? `${value}f` : fail("beyond the range of f32");
  const [low, high] = type === "u32" ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  if (!Number.isInteger(value) || value < low || value > high) return fail("not an integer in range");
  return type === "u32" ? `${value}u` : `${value}i`;
}

function lowerKnobs(module: ShaderModule, values: KnobValues): Line[] {
  const unknown = Object.keys(values).filter((name) => !(name in module.knobs));
  if (unknown.length > 0) {
    throw new EngineError({
      code: "KERNEL-KNOB",
      message: `${module.name} has no knob ${unknown.join(", ")}; it has ${Object.keys(module.knobs).join(", ") || "none"}`,
      fix: "Correct the knob's name.",
      where: module.name,
    });
  }
  return sourceLines(module).map((line) => {
    const match = DECLARATION.exec(line.text);
    if (!match) return line;
    const name = match[2] ?? match[4] ?? "";
    const type = match[3] ?? match[5] ?? "";
    const value = values[name] ?? module.knobs[name]?.default ?? 0;
    return {
      text: `${match[1]}const ${name}: ${type} = ${knobLiteral(name, type, value, module.name)};${match[6]}`,
      origin: line.origin,
    };
  });
}

function namedConstants(lines: readonly Line[]): Map<string, Constant> {
  const constants = new Map<string, Constant>();
  for (const { text } of lines) {
    const match = CONSTANT.exec(text);
    if (!match?.[1] || !match[2]) continue;
    const value = evaluateConstant(match[2], constants);
    if (value !== undefined) constants.set(match[1], value);
  }
  return constants;
}

/** Index of the line that closes the brace opened at the end of line `start`. */
function closingLine(lines: readonly Line[], start: number): number {
  let depth = 0;
  for (let index = start; index < lines.length; index++) {
    const text = lines[index]?.text ?? "";
    for (const character of index === start ? text.replace("}", "") : text) {
      if (character === "{") depth++;
      else if (character === "}" && --depth === 0) return index;
    }
  }
  return lines.length;
}

function unrollLoops(lines: readonly Line[], constants: ReadonlyMap<string, Constant>, where: string): Line[] {
  const out: Line[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index];
    if (!line) continue;
    const match = LOOP.exec(line.text);
    if (!match) {
      if (line.text.includes("//#unroll"))
        throw unrollError(line, where, "is not of the form for (var i = A; i < B; i++)");
      out.push(line);
      continue;
    }
    const [, variable = "", fromText = "", toText = "", stepText = "1"] = match;
    const [from, to, step] = [fromText, toText, stepText].map((text) => evaluateInteger(text, constants));
    if (from === undefined || to === undefined || step === undefined || step <= 0) {
      throw unrollError(line, where, "has no constant trip count");
    }
    // The variable is written out as u32 literals; `var i = 0` would be i32.
    if (/^\d+i?$/.test(fromText.trim()))
      throw unrollError(line, where, "counts in i32; start it with a u32 such as 0u");
    const end = closingLine(lines, index);
    const body = lines.slice(index + 1, end);
    const jump = body.find(({ text }) => /\b(?:break|continue)\b/.test(text));
    if (jump) throw unrollError(jump, where, "contains break or continue, which would leave or repeat an outer loop");
    // Not after a dot: a member or swizzle of the same name is another thing.
    const name = new RegExp(`(?<!\\.)\\b${variable}\\b`, "g");
    for (let value = from; value < to; value += step) {
      const iteration = body.map(({ text, origin }) => ({ text: text.replace(name, `${value}u`), origin }));
      out.push({ text: "{", origin: line.origin }, ...unrollLoops(iteration, constants, where), {
        text: "}",
        origin: line.origin,
      });
    }
    index = end;
  }
  return out;
}

function unrollError(line: Line, where: string, why: string): EngineError {
  return new EngineError({
    code: "KERNEL-UNROLL",
    message: `${line.origin}: the loop marked //#unroll ${why}: ${line.text.trim()}`,
    fix: "Give the loop constant u32 bounds (literals, knobs or const values) and a body without jumps, or remove the mark.",
    where,
  });
}

const BRANCH = /^(\s*)(?:\} else )?if \((.*)\) \{$/;

/** Keeps only the taken side of every `if` whose condition is constant. */
function decideBranches(lines: readonly Line[], constants: ReadonlyMap<string, Constant>): Line[] {
  const out: Line[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index];
    if (!line) continue;
    const match = BRANCH.exec(line.text);
    const value = match ? evaluateConstant(match[2] ?? "", constants) : undefined;
    if (typeof value !== "boolean" || line.text.includes("} else")) {
      out.push(line);
      continue;
    }
    const end = closingLine(lines, index);
    const otherwise = lines[end]?.text.trim();
    const hasElse = otherwise === "} else {";
    if (otherwise !== "}" && !hasElse) {
      // A chain of else-ifs is left as it is.
      out.push(line);
      continue;
    }
    const elseEnd = hasElse ? closingLine(lines, end) : end;
    const taken = value ? lines.slice(index + 1, end) : hasElse ? lines.slice(end + 1, elseEnd) : [];
    if (taken.length > 0) {
      out.push({ text: "{", origin: line.origin }, ...decideBranches(taken, constants), {
        text: "}",
        origin: line.origin,
      });
    }
    index = elseEnd;
  }
  return out;
}

/** Replaces function-scope arrays whose every use has a constant index by one variable per element. */
function scalarizeArrays(lines: readonly Line[], constants: ReadonlyMap<string, Constant>): Line[] {
  const out = [...lines];
  for (let index = 0; index < out.length; index++) {
    const match = ARRAY.exec(out[index]?.text ?? "");
    if (!match) continue;
    const [, indent = "", name = "", type = "", lengthText = ""] = match;
    const length = evaluateInteger(lengthText, constants);
    if (length === undefined) continue;
    const end = enclosingEnd(out, index);
    const use = new RegExp(`\\b${name}\\b(\\[([^\\[\\]]*)\\])?`, "g");
    const rewritten: string[] = [];
    let constantOnly = true;
    for (let at = index + 1; at < end && constantOnly; at++) {
      rewritten.push(
        (out[at]?.text ?? "").replace(use, (all, _brackets, expression: string | undefined) => {
          const element = expression === undefined ? undefined : evaluateInteger(expression, constants);
          if (element === undefined || element >= length) constantOnly = false;
          return element === undefined ? all : `${name}_${element}`;
        }),
      );
    }
    if (!constantOnly) continue;
    const origin = out[index]?.origin ?? "";
    const declarations = Array.from({ length }, (_, element) => `var ${name}_${element}: ${type};`).join(" ");
    out[index] = { text: `${indent}${declarations}`, origin };
    rewritten.forEach((text, offset) => {
      out[index + 1 + offset] = { text, origin: out[index + 1 + offset]?.origin ?? "" };
    });
  }
  return out;
}

/** First line after `start` at which the block containing `start` has closed. */
function enclosingEnd(lines: readonly Line[], start: number): number {
  let depth = 0;
  for (let index = start; index < lines.length; index++) {
    for (const character of lines[index]?.text ?? "") {
      if (character === "{") depth++;
      else if (character === "}" && --depth < 0) return index;
    }
  }
  return lines.length;
}
