/** Command lines under which a browser offers WebGPU: hardware first; a software adapter is never forced, only fallen back to. */
import { existsSync, readdirSync } from "node:fs";

/** True on every system: what keeps a background page running at full speed, and the browser from calling home. */
const COMMON = [
  "--enable-unsafe-webgpu",
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
];

/**
 * Linux, as documented for WebGPU there. Headless Chrome draws in software unless ANGLE is told otherwise, and then offers WebGPU no
 * hardware adapter; on the other hand these flags leave a machine without a GPU without any adapter.
 * Source: https://developer.chrome.com/blog/supercharge-web-ai-testing
 */
const LINUX_HARDWARE = ["--enable-features=Vulkan", "--use-angle=vulkan", "--disable-vulkan-surface"];
const LINUX_ANY = ["--enable-features=Vulkan"];

/**
 * Dawn's toggle for shaders without the clamps that a browser adds to every index of a storage buffer. For software adapters, where the
 * clamps are a fifth of a training step and two fifths of compiling it; the process runs nothing but our own kernels, which tests run
 * without clamps, too. Never for measurements, which are of what a page on the web gets.
 */
export const UNCLAMPED = "disable_robustness";

export interface FlagSurroundings {
  readonly platform: string;
  readonly isRoot: boolean;
  /** A device node of a GPU exists (Linux). */
  readonly hasGpuDevice: boolean;
}

/**
 * Sets of flags to try in order, until one gives an adapter that is not software; the last one takes what there is.
 *
 * @param isMeasured false for work of the command's own: unclamped where there is no GPU
 */
export function browserFlagSets(surroundings: FlagSurroundings, isMeasured = true): string[][] {
  // Chrome refuses to sandbox root; for everybody else the sandbox stays on.
  const common = [...COMMON, ...(surroundings.isRoot ? ["--no-sandbox"] : [])];
  if (surroundings.platform !== "linux") return [common];
  const any = [...common, ...LINUX_ANY];
  if (surroundings.hasGpuDevice) return [[...common, ...LINUX_HARDWARE], any];
  return [isMeasured ? any : [...any, `--enable-dawn-features=${UNCLAMPED}`]];
}

export function thisSurroundings(): FlagSurroundings {
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    hasGpuDevice: existsSync("/dev/nvidia0") || listing("/dev/dri").some((name) => name.startsWith("renderD")),
  };
}

function listing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
