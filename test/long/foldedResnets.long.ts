/** ResNet-18 and -50 at full width with the 1000-class head: folded inference layer by layer and as a whole against float64. */
import { it } from "vitest";
import { checkNet, RESNET_18, RESNET_50 } from "../nn/foldedNets.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

it.each([RESNET_18, RESNET_50])("$name", async (net) => {
  await checkNet(engine(), net);
});
