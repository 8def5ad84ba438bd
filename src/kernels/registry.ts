/** Every kernel by its name in TypeScript: for what looks kernels up or goes through all of them. Imports of single kernels leave it out. */
import type { Kernel } from "./kernel.ts";
import * as kernels from "./library.ts";

export const library: Readonly<Record<string, Kernel>> = { ...kernels };
