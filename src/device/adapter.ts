/** Choosing an adapter and describing it: what runs, whether it is software, which limits a device gets. */
import { EngineError } from "../errors.ts";

export type LimitName =
  | "maxBufferSize"
  | "maxStorageBufferBindingSize"
  | "maxStorageBuffersPerShaderStage"
  | "maxComputeWorkgroupStorageSize"
  | "maxComputeInvocationsPerWorkgroup"
  | "maxComputeWorkgroupSizeX"
  | "maxComputeWorkgroupsPerDimension";

/** Adapter and device facts as plain data, for logs and result files. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** True when the work is done by the CPU (SwiftShader, lavapipe, WARP). */
  readonly isSoftware: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<LimitName, number>>;
}

export const LIMIT_NAMES: readonly LimitName[] = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
];

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp\b/i;

export function describeDevice(device: GPUDevice): AdapterDescription {
  const info = device.adapterInfo;
  const text = [info.vendor, info.architecture, info.device, info.description].join(" ");
  const limits = Object.fromEntries(LIMIT_NAMES.map((name) => [name, device.limits[name]])) as Record<
    LimitName,
    number
  >;
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    isSoftware: info.isFallbackAdapter === true || SOFTWARE.test(text),
    features: [...device.features].sort(),
    limits,
  };
}

/** One line for people: `vendor architecture (description)`, with a warning word when it is software. */
export function adapterLine(adapter: AdapterDescription): string {
  const name = [adapter.vendor, adapter.architecture].filter(Boolean).join(" ") || "unnamed adapter";
  const description = adapter.description ? ` (${adapter.description})` : "";
  return `${name}${description}${adapter.isSoftware ? ", software" : ""}`;
}

/**
 * The adapter the user's machine prefers. A hardware GPU is asked for first; a software adapter is accepted when that is all there is
 * (the browser decides), never forced.
 *
 * @throws EngineError DEVICE-UNSUPPORTED without WebGPU, DEVICE-NO-ADAPTER without an adapter
 */
export async function requestAdapter(
  gpu: GPU | undefined,
  powerPreference: GPUPowerPreference = "high-performance",
): Promise<GPUAdapter> {
  if (!gpu) {
    throw new EngineError({
      code: "DEVICE-UNSUPPORTED",
      message: "This environment has no WebGPU (navigator.gpu is undefined)",
      fix: "Use a browser with WebGPU over https or localhost, or the node runtime (npm package webgpu).",
    });
  }
  const adapter = (await gpu.requestAdapter({ powerPreference })) ?? (await gpu.requestAdapter());
  if (!adapter) {
    throw new EngineError({
      code: "DEVICE-NO-ADAPTER",
      message: "WebGPU is present but offers no adapter",
      fix: "Install or update the GPU driver; on Linux start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan; on a machine without GPU install a software Vulkan driver.",
    });
  }
  return adapter;
}

/**
 * Limits to request: the adapter's largest buffers (not with `defaultsOnly`), defaults elsewhere, raised to what the caller needs.
 *
 * @throws EngineError LIMIT-ADAPTER naming every limit that the adapter cannot meet, with both numbers
 */
export function requiredLimits(
  adapter: GPUAdapter,
  needs: Partial<Record<LimitName, number>>,
  defaultsOnly: boolean,
): Record<string, number> {
  const missing = LIMIT_NAMES.filter((name) => (needs[name] ?? 0) > adapter.limits[name]);
  if (missing.length > 0) {
    const list = missing.map((name) => `${name} ${needs[name]} (adapter has ${adapter.limits[name]})`).join(", ");
    throw new EngineError({
      code: "LIMIT-ADAPTER",
      message: `The adapter lacks ${list}`,
      fix: "Use a smaller model or batch, or another adapter.",
      detail: Object.fromEntries(
        missing.map((name) => [name, { needed: needs[name], available: adapter.limits[name] }]),
      ),
    });
  }
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const limits: Record<string, number> = defaultsOnly ? {} : { maxBufferSize, maxStorageBufferBindingSize };
  for (const name of LIMIT_NAMES) {
    const need = needs[name];
    if (need !== undefined && limits[name] === undefined) limits[name] = need;
  }
  return limits;
}
