/** A dispatch as data: kernel, variant, parameters, and where its buffers come from. What ops and solvers lower to. */
import type { Kernel } from "./kernel.ts";
import type { KnobValues } from "./specialize.ts";

/** Where a kernel's binding comes from. */
export type Operand =
  | { readonly kind: "input"; readonly index: number }
  | { readonly kind: "output"; readonly index: number }
  /** Scratch of this node, by name. */
  | { readonly kind: "scratch"; readonly name: string; readonly elements: number }
  /** A small buffer of zeros, for bindings that a variant does not use. */
  | { readonly kind: "unused" };

/** One dispatch. */
export interface KernelCall {
  readonly kernel: Kernel;
  readonly knobs: KnobValues;
  readonly params: Readonly<Record<string, number>>;
  readonly bindings: Readonly<Record<string, Operand>>;
}

export type MatmulFamily = "register" | "workgroup";

/** What the kernels are chosen for. */
export interface Target {
  readonly isSoftware: boolean;
  readonly matmulFamily: MatmulFamily;
  /** The device has WGSL's subgroups: neighbours can share what one of them loads. Every op does without, too. */
  readonly hasSubgroups?: boolean;
}
