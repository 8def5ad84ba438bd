/** Tests that cannot pass in Firefox through no fault of ours or of Firefox: skipped by name, each with the reason. */
import { beforeEach } from "vitest";

const DEFECTS: Readonly<Record<string, string>> = {
  // The same test passes in Firefox on SwiftShader (VK_DRIVER_FILES), so that neither naga nor the kernel is to blame; Firefox does not
  // tell the driver's name. Plans never take such workgroups (src/ops/eigh.ts). Remove when Debian 12 is no longer supported.
  "a workgroup of one gives the same bits":
    "Mesa 22.3's lavapipe (Debian 12) computes wrongly when a workgroup with loops around barriers does not fill its vectors of 8",
};

beforeEach((context) => {
  const reason = DEFECTS[context.task.name];
  if (reason !== undefined) context.skip(reason);
});
