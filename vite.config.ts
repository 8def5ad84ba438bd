// Placeholder-free base configuration shared by the builds in tools/build.mjs; `vite` alone serves the demos.
import { defineConfig } from "vite";
import wgsl from "./tools/wgsl/plugin.mjs";

export default defineConfig({
  root: "demos",
  plugins: [wgsl()],
});
