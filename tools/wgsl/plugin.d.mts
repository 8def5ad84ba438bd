import type { Plugin } from "vite";

/** Vite and vitest plugin that turns `.wgsl` imports into compiled shader modules. */
export default function wgsl(options?: { root?: string }): Plugin;
