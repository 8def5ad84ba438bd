// `vite` alone serves the demos; the library and the command are built by tools/build.mjs.
import { defineConfig } from "vite";
import demoDigits from "./tools/demoDigits.mjs";
import wgsl from "./tools/wgsl/plugin.mjs";

export default defineConfig({
  root: "demos",
  plugins: [wgsl(), demoDigits()],
  worker: { format: "es", plugins: () => [wgsl()] },
});
