// The header of a .npy file: a Python dict literal, as numpy's format specification defines it (NEP 1).
// It is parsed, never evaluated; only strings, booleans, None, integers, tuples, lists and dicts are known.

import { dataError } from "./dataError.ts";

/** A Python literal. A tuple is an array too: the difference does not matter here, except in `text`. */
type Literal = string | number | boolean | null | readonly Literal[] | ReadonlyMap<string, Literal>;

export interface NpyHeader {
  /** Type code of a plain dtype, e.g. `<f4`; for a structured one the text of the field list. */
  readonly descr: string;
  readonly isStructured: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

const TOKEN = /\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(True|False|None)\b|(-?\d+)L?|([{}()[\],:]))/y;
/** Deeper nesting than any dtype has; bounds the recursion. */
const MAX_DEPTH = 32;
/** NumPy's NPY_MAXDIMS. */
export const MAX_RANK = 64;

/**
 * Parses the dict.
 * @throws EngineError DATA-NPY-HEADER
 */
export function parseNpyHeader(text: string, name: string): NpyHeader {
  const reader = new LiteralReader(text, name);
  const value = reader.read(0);
  const restOffset = reader.position;
  if (text.slice(restOffset).trim() !== "") {
    throw badHeader(name, `has something after the dict, at character ${restOffset}`, text);
  }
  if (!(value instanceof Map)) throw badHeader(name, "is not a dict", text);

  const keys = [...value.keys()].sort().join(", ");
  if (keys !== "descr, fortran_order, shape") {
    throw badHeader(name, `has the keys ${keys || "(none)"} instead of descr, fortran_order, shape`, text);
  }
  const descr: Literal | undefined = value.get("descr");
  const fortranOrder: Literal | undefined = value.get("fortran_order");
  const shape: Literal | undefined = value.get("shape");
  if (typeof fortranOrder !== "boolean") throw badHeader(name, "has a fortran_order that is not True or False", text);
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw badHeader(name, "has a shape that is not a tuple of sizes", text);
  }
  if (shape.length > MAX_RANK) throw badHeader(name, `has a shape of ${shape.length} axes (at most ${MAX_RANK})`, text);
  if (typeof descr === "string") return { descr, isStructured: false, fortranOrder, shape };
  if (!Array.isArray(descr)) throw badHeader(name, "has a descr that is neither a type code nor a field list", text);
  return { descr: reader.structuredText, isStructured: true, fortranOrder, shape };
}

class LiteralReader {
  position = 0;
  /** Source text of the outermost list read last: a structured dtype's field list. */
  structuredText = "";
  readonly #text: string;
  readonly #name: string;

  constructor(text: string, name: string) {
    this.#text = text;
    this.#name = name;
  }

  read(depth: number): Literal {
    if (depth > MAX_DEPTH) throw badHeader(this.#name, `is nested deeper than ${MAX_DEPTH} levels`, this.#text);
    const start = this.position;
    const token = this.#next();
    const quoted = token[1] ?? token[2];
    if (quoted !== undefined) return quoted;
    if (token[3] !== undefined) return token[3] === "None" ? null : token[3] === "True";
    if (token[4] !== undefined) return Number(token[4]);
    switch (token[5]) {
      case "{":
        return this.#dict(depth);
      case "(":
        return this.#sequence(")", depth);
      case "[": {
        const items = this.#sequence("]", depth);
        if (depth === 1) this.structuredText = this.#text.slice(start, this.position).trim();
        return items;
      }
      default:
        throw badHeader(this.#name, `has a stray "${token[5]}" at character ${this.position - 1}`, this.#text);
    }
  }

  #dict(depth: number): ReadonlyMap<string, Literal> {
    const entries = new Map<string, Literal>();
    while (!this.#take("}")) {
      const key = this.read(depth + 1);
      if (typeof key !== "string") throw badHeader(this.#name, "has a key that is not a string", this.#text);
      if (entries.has(key)) throw badHeader(this.#name, `has the key ${key} twice`, this.#text);
      if (!this.#take(":")) throw badHeader(this.#name, `has no ":" after the key ${key}`, this.#text);
      entries.set(key, this.read(depth + 1));
      this.#separator("}");
    }
    return entries;
  }

  #sequence(close: ")" | "]", depth: number): readonly Literal[] {
    const items: Literal[] = [];
    while (!this.#take(close)) {
      items.push(this.read(depth + 1));
      this.#separator(close);
    }
    return items;
  }

  /** A comma, or the closing bracket, which stays for the caller. */
  #separator(close: string): void {
    if (this.#take(",")) return;
    const here = this.position;
    if (this.#take(close)) {
      this.position = here;
      return;
    }
    throw badHeader(this.#name, `has no "," or "${close}" at character ${here}`, this.#text);
  }

  #take(punctuation: string): boolean {
    const before = this.position;
    if (this.#match()?.[5] === punctuation) return true;
    this.position = before;
    return false;
  }

  #next(): RegExpExecArray {
    const token = this.#match();
    if (token !== null) return token;
    throw badHeader(this.#name, `is not a Python literal at character ${this.position}`, this.#text);
  }

  #match(): RegExpExecArray | null {
    TOKEN.lastIndex = this.position;
    const token = TOKEN.exec(this.#text);
    if (token !== null) this.position = TOKEN.lastIndex;
    return token;
  }
}

function badHeader(name: string, problem: string, text: string) {
  const shown = text.length > 120 ? `${text.slice(0, 120)}…` : text;
  return dataError(
    "DATA-NPY-HEADER",
    name,
    `The header of "${name}" ${problem}: ${JSON.stringify(shown)}.`,
    "Write the file again with numpy.save.",
    { header: shown },
  );
}
