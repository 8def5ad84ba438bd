/** `--set path=value`: changes one value of a configuration by its path, refusing what is not there. */
import { EngineError } from "../../errors.ts";
import { closest } from "./closest.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/**
 * A copy of `config` with the value at the path replaced. The value is JSON; what is no JSON is taken as a string, so that
 * `kernels.family=register` needs no quotes.
 *
 * @param assignment `path=value`, path in dots, e.g. `data.images=256`
 * @throws EngineError CLI-USAGE-SET (no `path=value`), CONFIG-SET-KEY (no such path), CONFIG-SET-TYPE (another type is there)
 */
export function applySet(config: object, assignment: string): object {
  const equals = assignment.indexOf("=");
  const path = assignment.slice(0, Math.max(0, equals)).trim();
  if (path === "") {
    throw new EngineError({
      code: "CLI-USAGE-SET",
      message: `--set ${assignment} is not of the form path=value`,
      fix: "Write for example --set data.images=256.",
      where: "--set",
    });
  }
  return replace(config as JsonObject, path.split("."), [], parseValue(assignment.slice(equals + 1))) as object;
}

function parseValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function replace(target: Json, keys: readonly string[], walked: readonly string[], value: Json): Json {
  const [key, ...rest] = keys;
  if (key === undefined) return checkedValue(target, walked.join("."), value);
  if (!isObject(target) || !Object.hasOwn(target, key))
    throw unknownPath(target, [...walked, key, ...rest], walked, key);
  const inner = target[key] as Json;
  return { ...target, [key]: replace(inner, rest, [...walked, key], value) };
}

function checkedValue(current: Json, path: string, value: Json): Json {
  const wanted = typeName(current);
  if (typeName(value) === wanted) return value;
  throw new EngineError({
    code: "CONFIG-SET-TYPE",
    message: `--set ${path} needs ${article(wanted)}; ${JSON.stringify(value)} is ${article(typeName(value))}`,
    fix: `Give ${article(wanted)}, as in --set ${path}=${shellValue(current)}.`,
    where: path,
  });
}

function unknownPath(target: Json, path: readonly string[], walked: readonly string[], key: string): EngineError {
  const full = path.join(".");
  if (!isObject(target)) {
    return new EngineError({
      code: "CONFIG-SET-KEY",
      message: `--set ${full}: ${walked.join(".")} is ${article(typeName(target))} and has no keys`,
      fix: `Set it directly, as in --set ${walked.join(".")}=${shellValue(target)}.`,
      where: full,
    });
  }
  const known = Object.keys(target);
  const meant = closest(key, known);
  const place = walked.length === 0 ? "the configuration" : walked.join(".");
  return new EngineError({
    code: "CONFIG-SET-KEY",
    message: `--set ${full}: ${place} has no key "${key}"; it has ${known.join(", ")}`,
    fix: meant
      ? `Did you mean ${[...walked, meant, ...path.slice(walked.length + 1)].join(".")}?`
      : "Use one of these keys.",
    where: full,
    detail: { known },
  });
}

function shellValue(value: Json): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[\w.+-]*$/.test(text) ? text : `'${text}'`;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeName(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function article(type: string): string {
  if (type === "null") return "null";
  return `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}
