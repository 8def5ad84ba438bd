/** What a `.wgsl` import is: code and reflected interface, made at build time by tools/wgsl. Types only; no GPU. */

export type BindingType = "uniform" | "read-only-storage" | "storage";
export type ScalarType = "u32" | "i32" | "f32";

export interface BindingInfo {
  readonly group: number;
  readonly binding: number;
  readonly type: BindingType;
  /** Smallest buffer range WebGPU accepts for this binding; a runtime-sized array counts one element. */
  readonly minSizeBytes: number;
}

export interface FieldInfo {
  /** Byte offset in the uniform. */
  readonly offset: number;
  readonly type: ScalarType;
}

export interface KnobInfo {
  readonly type: ScalarType | "bool";
  readonly default: number | boolean;
}

/**
 * A compiled shader file. The type parameters carry the names, so that a misspelt binding, parameter or knob does not compile.
 *
 * @typeParam Bindings storage bindings by name (the uniform, always `params`, is not listed here)
 * @typeParam Params   fields of the uniform
 * @typeParam Knobs    `override`s and `//#knob` constants
 */
export interface ShaderModule<
  Bindings = Readonly<Record<string, BindingInfo>>,
  Params = Readonly<Record<string, FieldInfo>>,
  Knobs = Readonly<Record<string, KnobInfo>>,
> {
  /** Path below the shader root without extension, e.g. `matmul/matmul_register`. */
  readonly name: string;
  readonly entry: string;
  readonly code: string;
  /** Files the code was made from, relative to the shader root. */
  readonly sources: readonly string[];
  /** Line table of `code`: [first line, index into `sources`, line there] for each run of consecutive lines. */
  readonly lines: readonly (readonly [number, number, number])[];
  /** Features that the device must have (`enable` directives). */
  readonly features: readonly string[];
  /** All bindings, the uniform included. */
  readonly bindings: Bindings & { readonly params?: BindingInfo };
  readonly params: { readonly sizeBytes: number; readonly fields: Params } | null;
  readonly knobs: Knobs;
}
