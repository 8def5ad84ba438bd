/** Presets that extend others: what a preset does not name, it has from the one it extends. */

type Json = { readonly [key: string]: unknown };

/** A preset as it lies on disk. */
export interface PresetFile extends Json {
  readonly preset: string;
  /** Name of the preset whose values it takes over. */
  readonly extends?: string;
}

/**
 * Complete configurations by name. Objects are merged key by key, except where they are of another `kind` (or another augmentation
 * `recipe`): those replace what they extend, as do arrays and plain values.
 */
export function extended(files: readonly PresetFile[]): Readonly<Record<string, Json>> {
  const byName = new Map(files.map((file) => [file.preset, file]));
  const resolve = (file: PresetFile): Json => {
    const { extends: parent, ...own } = file;
    if (parent === undefined) return own;
    const base = byName.get(parent);
    if (!base) throw new Error(`preset ${file.preset} extends ${parent}, which does not exist`);
    return merged(resolve(base), own);
  };
  return Object.fromEntries(files.map((file) => [file.preset, resolve(file)]));
}

function merged(base: Json, own: Json): Json {
  const differs = (key: "kind" | "recipe"): boolean => own[key] !== undefined && own[key] !== base[key];
  if (differs("kind") || differs("recipe")) return own;
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const before = base[key];
    result[key] = isObject(value) && isObject(before) ? merged(before, value) : value;
  }
  return result;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
