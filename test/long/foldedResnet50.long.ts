/** ResNet-50 at full width with the 1000-class head: folded inference layer by layer and as a whole against float64. */
import { it } from "vitest";
import { checkNet, RESNET_50 } from "../nn/foldedNets.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

it(RESNET_50.name, async () => {
  await checkNet(engine(), RESNET_50);
});
