/** What can go wrong, in words for whoever sits in front of the page. */
import type { EngineErrorInit } from "../../src/errors.ts";
import { block, button, setText } from "./elements.ts";

export interface Notice {
  readonly title: string;
  readonly text: string;
  readonly fix: string;
  /** A button that helps. */
  readonly action?: { readonly label: string; readonly run: () => void };
}

export function showNotice(notice: Notice | undefined): void {
  block("notice").hidden = notice === undefined;
  if (!notice) return;
  setText(block("notice-title"), notice.title);
  setText(block("notice-text"), notice.text);
  setText(block("notice-fix"), notice.fix);
  const action = button("notice-action");
  action.hidden = notice.action === undefined;
  setText(action, notice.action?.label ?? "");
  action.onclick = notice.action?.run ?? null;
}

const BROWSERS =
  "Chrome, Edge and other Chromium browsers have it since version 113 on Windows, macOS and ChromeOS, and since 121 on Android; Safari since 26; Firefox since 141 on Windows and 145 on macOS. On Linux, start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan; in Firefox set dom.webgpu.enabled (and gfx.webgpu.ignore-blocklist) to true in about:config.";

/** Undefined when WebGPU may be there; the worker finds out for certain. */
export function missingWebGpu(): Notice | undefined {
  if (!isSecureContext) {
    return {
      title: "This page needs a secure address.",
      text: `Browsers offer WebGPU only over https or from localhost, and this page came from ${location.origin}.`,
      fix: "Open it over https, or with `eigenstep serve` from http://127.0.0.1.",
    };
  }
  return "gpu" in navigator ? undefined : noWebGpu();
}

function noWebGpu(): Notice {
  return {
    title: "This browser has no WebGPU.",
    text: "Training runs on the GPU, and without WebGPU it cannot start.",
    fix: BROWSERS,
  };
}

/** @param again prepares the run anew */
export function noticeFor(error: EngineErrorInit, again: () => void): Notice {
  const retry = { label: "Try again", run: again };
  switch (error.code) {
    case "DEVICE-UNSUPPORTED":
      return noWebGpu();
    case "DEVICE-NO-ADAPTER":
      return {
        title: "No GPU adapter.",
        text: "This browser has WebGPU but found no adapter to run it on.",
        fix: "Switch hardware acceleration on in the browser’s settings and update the graphics driver. On Linux, start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan; a machine without a GPU needs a software Vulkan driver (Debian: mesa-vulkan-drivers).",
        action: retry,
      };
    case "DEVICE-LOST":
    case "DEVICE-DESTROYED":
      return {
        title: "The GPU device was lost.",
        text: "The driver was reset, the GPU was taken away, or the browser stopped the work.",
        fix: "What was recorded is still drawn. Reset begins the run again on a new device.",
        action: { label: "Reset", run: again },
      };
    default:
      return {
        title: "The run could not go on.",
        text: `${error.message} (${error.code})`,
        fix: error.fix,
        action: retry,
      };
  }
}
