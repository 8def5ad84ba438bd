/** Tests that cannot pass in Firefox through no fault of ours or of Firefox: skipped by name, each with the reason. */
import { beforeEach } from "vitest";

const DEFECTS: Readonly<Record<string, string>> = {
  // Both pass in Firefox on SwiftShader (VK_DRIVER_FILES), so that neither naga nor the kernel is to blame. Plans never take such workgroups
  // (src/linalg/eighCalls.ts). docs/portability.md.
  "a workgroup of one gives the same bits":
    "Mesa 22.3's lavapipe (Debian 12) computes wrongly when a workgroup with loops around barriers does not fill its vectors of 8",
  "so they do with more rows than lanes": "llvmpipe ends an invocation's loops after 65,535 turns in all",
};

beforeEach((context) => {
  const reason = DEFECTS[context.task.name];
  if (reason !== undefined) context.skip(reason);
});
