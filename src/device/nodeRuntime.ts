/**
 * The node runtime: WebGPU in Node through the npm package `webgpu` (Dawn), on a Vulkan driver of the system or, failing that, on the
 * SwiftShader that ships beside Chrome and Chromium.
 */
import { existsSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { EngineError } from "../errors.ts";

export interface NodeGpu {
  readonly gpu: GPU;
  /** The driver that was chosen, for `eigenstep info`. */
  readonly driver: string;
}

/** Folders in which Chrome or Chromium keep SwiftShader's driver file. */
const BROWSER_FOLDERS = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/opt/google/chrome",
  "/opt/google/chrome-unstable",
];

/** `vk_swiftshader_icd.json` beside a browser's binary, if there is one. */
export function findSwiftShader(browserFolders: readonly string[] = BROWSER_FOLDERS): string | undefined {
  return browserFolders.map((folder) => join(folder, "vk_swiftshader_icd.json")).find((file) => existsSync(file));
}

function hasSystemDriver(): boolean {
  return ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"].some(
    (folder) => existsSync(folder) && readdirSync(folder).length > 0,
  );
}

/**
 * Loads the Vulkan loader that ships with a browser, for machines without `libvulkan1`. Dawn asks the dynamic linker for
 * `libvulkan.so.1`; a library already in the process under that name satisfies it. Node's only door to the dynamic linker is
 * `process.dlopen`, which complains that the library is no addon; RTLD_NODELETE (0x1000 on Linux) keeps it loaded all the same.
 */
function preloadVulkanLoader(folder: string): void {
  const library = join(folder, "libvulkan.so.1");
  if (!existsSync(library)) return;
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_NOW | 0x1000);
  } catch {
    // Expected: "Module did not self-register".
  }
}

/**
 * WebGPU for Node. `VK_DRIVER_FILES` is respected when set; otherwise system drivers are tried, then SwiftShader beside a browser.
 *
 * @param options.browserFolders further folders to look for SwiftShader in
 * @param options.toggles Dawn toggles, e.g. `disable_workgroup_init`
 * @param options.softwareToggles further toggles on a SwiftShader, e.g. `disable_robustness`
 * @throws EngineError DEVICE-NO-DAWN when the package is not installed, DEVICE-NO-DRIVER without any Vulkan driver
 */
export async function nodeGpu(
  options: {
    readonly browserFolders?: readonly string[];
    readonly toggles?: readonly string[];
    readonly softwareToggles?: readonly string[];
  } = {},
): Promise<NodeGpu> {
  const folders = [...(options.browserFolders ?? []), ...BROWSER_FOLDERS];
  const dawn = await loadDawn();
  const { toggles = [], softwareToggles = [] } = options;
  for (const driver of driverCandidates(folders)) {
    if (driver !== SYSTEM) process.env.VK_DRIVER_FILES = driver;
    const isSwiftShader = driver.includes("swiftshader");
    if (isSwiftShader) preloadVulkanLoader(join(driver, ".."));
    const enabled = [...toggles, ...(isSwiftShader ? softwareToggles : [])];
    const gpu = dawn.create(enabled.length > 0 ? [`enable-dawn-features=${enabled.join(",")}`] : []);
    if (await gpu.requestAdapter()) return { gpu, driver };
  }
  throw new EngineError({
    code: "DEVICE-NO-DRIVER",
    message: "Dawn found no usable GPU driver for Node",
    fix: "Install a Vulkan driver (Debian: apt-get install mesa-vulkan-drivers libvulkan1) or Chromium, whose SwiftShader serves as a software driver.",
  });
}

const SYSTEM = "system";

/** What to try, in order: the user's choice alone when there is one, else the system's drivers (hardware), else SwiftShader. */
function driverCandidates(browserFolders: readonly string[]): string[] {
  const chosen = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  if (chosen) return [chosen];
  const swiftShader = process.platform === "linux" ? findSwiftShader(browserFolders) : undefined;
  const system = process.platform !== "linux" || hasSystemDriver() ? [SYSTEM] : [];
  return [...system, ...(swiftShader ? [swiftShader] : [])];
}

async function loadDawn(): Promise<typeof import("webgpu")> {
  try {
    const dawn = await import("webgpu");
    Object.assign(globalThis, dawn.globals);
    return dawn;
  } catch (cause) {
    throw new EngineError({
      code: "DEVICE-NO-DAWN",
      message: `The npm package webgpu (Dawn for Node) cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: "Run `npm install webgpu`, or use --runtime chrome.",
      cause,
    });
  }
}
