// Turns one .wgsl file into a shader module object: includes expanded, comments removed (line structure kept), interface reflected.
//
// The file on disk is valid WGSL: `//#include "lib/x.wgsl"` is a comment that names a file relative to the including file's folder
// or, failing that, to the shader root. Reflection (wgsl_reflect) happens here, at build time, and never ships.
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
// The package's main file is CommonJS under "type": "module", which Node cannot import; its module build can.
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";

const INCLUDE = /^\s*\/\/#include\s+"([^"]+)"\s*$/;
const KNOB_CONST = /^\s*const\s+([A-Z][A-Z0-9_]*)\s*:\s*(u32|i32|f32|bool)\s*=\s*([^;]+);\s*\/\/#knob/;
const ENABLE = /^enable\s+([\w,\s]+);$/;
const OVERRIDE = /^\s*override\s+([A-Z][A-Z0-9_]*)\s*:\s*(u32|i32|f32|bool)\s*=\s*([^;]+);/;

/** @typedef {{ text: string, file: string, line: number }} SourceLine */

/** Lines of `path` with every include replaced once by its lines, in order. */
function expandIncludes(path, root, seen, watch) {
  watch.push(path);
  /** @type {SourceLine[]} */
  const out = [];
  const lines = readFileSync(path, "utf8").split("\n");
  lines.forEach((text, index) => {
    const match = INCLUDE.exec(text);
    if (!match) {
      out.push({ text, file: path, line: index + 1 });
      return;
    }
    const beside = join(dirname(path), match[1]);
    const target = existsSync(beside) ? beside : join(root, match[1]);
    if (!existsSync(target))
      throw new Error(`${path}:${index + 1}: include "${match[1]}" not found beside the file or in ${root}`);
    if (seen.has(target)) return;
    seen.add(target);
    out.push(...expandIncludes(target, root, seen, watch));
  });
  return out;
}

/** Removes `//` comments except the directives that specialize() reads (`//#knob`, `//#unroll`), and trailing white space. */
function stripComment(text) {
  const at = text.indexOf("//");
  if (at < 0) return text.trimEnd();
  const directive = /\/\/#(knob|unroll)\b/.exec(text);
  const kept = text.slice(0, at).trimEnd();
  return directive ? `${kept} //#${directive[1]}` : kept;
}

/** Runs of lines that come consecutively from one file, as [first output line, source index, first source line]. */
function lineTable(lines, sources) {
  const table = [];
  let previous;
  lines.forEach((line, index) => {
    if (!previous || previous.file !== line.file || previous.line + 1 !== line.line) {
      table.push([index + 1, sources.indexOf(line.file), line.line]);
    }
    previous = line;
  });
  return table;
}

function scalarType(type, where) {
  const name = type.name;
  if (name !== "u32" && name !== "i32" && name !== "f32")
    throw new Error(`${where}: Params fields are u32, i32 or f32, not ${name}`);
  return name;
}

/**
 * Compiles one shader file.
 * @param {string} path file on disk
 * @param {string} root shader root folder
 * @returns {{ module: object, watch: string[] }} the module object and the files it was made from
 */
export function compileShader(path, root) {
  const watch = [];
  const lines = expandIncludes(path, root, new Set([path]), watch);
  const sources = [...new Set(lines.map((line) => line.file))];
  const stripped = lines.map((line) => stripComment(line.text));
  const code = `${stripped.join("\n").trimEnd()}\n`;
  const entry = basename(path, ".wgsl");

  const reflect = new WgslReflect(code);
  const entries = reflect.entry.compute;
  if (entries.length !== 1) throw new Error(`${path}: expected one compute entry point, found ${entries.length}`);
  if (entries[0].name !== entry)
    throw new Error(`${path}: entry point is "${entries[0].name}", must be named as the file, "${entry}"`);

  const bindings = {};
  let params = null;
  for (const variable of [...reflect.uniforms, ...reflect.storage]) {
    const type =
      variable.resourceType === 0 ? "uniform" : variable.access === "read_write" ? "storage" : "read-only-storage";
    bindings[variable.name] = {
      group: variable.group,
      binding: variable.binding,
      type,
      minSizeBytes: variable.size || variable.stride || 4,
    };
    if (type === "uniform") {
      if (variable.name !== "params" || params)
        throw new Error(`${path}: the one uniform of a kernel is called "params"`);
      const fields = {};
      for (const member of variable.members ?? [])
        fields[member.name] = { offset: member.offset, type: scalarType(member.type, path) };
      params = { sizeBytes: Math.ceil(variable.size / 16) * 16, fields };
    }
  }
  const knobs = {};
  stripped.forEach((text, index) => {
    const match = OVERRIDE.exec(text) ?? KNOB_CONST.exec(text);
    if (!match) return;
    const [, name, type, value] = match;
    if (knobs[name]) throw new Error(`${lines[index].file}:${lines[index].line}: knob ${name} is declared twice`);
    knobs[name] = { type, default: parseKnobDefault(value.trim(), type, `${lines[index].file}:${lines[index].line}`) };
  });
  const module = {
    name: relative(root, path)
      .replace(/\\/g, "/")
      .replace(/\.wgsl$/, ""),
    entry,
    code,
    sources: sources.map((file) => relative(root, file).replace(/\\/g, "/")),
    lines: lineTable(lines, sources),
    features: stripped.flatMap((text) => ENABLE.exec(text)?.[1].split(/\s*,\s*/) ?? []),
    bindings,
    params,
    knobs,
  };
  return { module, watch };
}

function parseKnobDefault(text, type, where) {
  if (type === "bool") {
    if (text !== "true" && text !== "false")
      throw new Error(`${where}: a bool knob needs a literal default, not ${text}`);
    return text === "true";
  }
  const number = Number(text.replace(/[ufi]$/, ""));
  if (!Number.isFinite(number)) throw new Error(`${where}: a knob needs a literal default, not ${text}`);
  return number;
}

/** The committed declaration file: the kernel's interface as TypeScript types, so that a change of binding shows in review. */
export function declarationOf(module) {
  const union = (names) => (names.length ? names.map((name) => JSON.stringify(name)).join(" | ") : "never");
  const bindingLines = Object.entries(module.bindings)
    .filter(([, binding]) => binding.type !== "uniform")
    .map(
      ([name, binding]) =>
        `    readonly ${name}: { readonly group: ${binding.group}; readonly binding: ${binding.binding}; readonly type: "${binding.type}"; readonly minSizeBytes: ${binding.minSizeBytes} };`,
    );
  const paramLines = Object.entries(module.params?.fields ?? {}).map(
    ([name, field]) => `    readonly ${name}: { readonly offset: ${field.offset}; readonly type: "${field.type}" };`,
  );
  const knobLines = Object.entries(module.knobs).map(
    ([name, knob]) =>
      `    readonly ${name}: { readonly type: "${knob.type}"; readonly default: ${JSON.stringify(knob.default)} };`,
  );
  const block = (lines) => (lines.length ? `{\n${lines.join("\n")}\n  }` : "Record<never, never>");
  return [
    `// Generated by \`npm run gen\` from ${module.name}.wgsl; do not edit. entry ${union([module.entry])}`,
    `import type { ShaderModule } from "${"../".repeat(module.name.split("/").length)}src/kernels/shaderModule.ts";`,
    "declare const shader: ShaderModule<",
    `  ${block(bindingLines)},`,
    `  ${block(paramLines)},`,
    `  ${block(knobLines)}`,
    ">;",
    "export default shader;",
    "",
  ].join("\n");
}
