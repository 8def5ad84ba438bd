/** Verbs that are about networks alone. */
import { EngineError } from "../errors.ts";
import type { RunConfig } from "../experiments/contract.ts";
import type { NetworkConfig } from "../experiments/network/config.ts";

/** @throws EngineError CONFIG-KIND for a configuration of another kind */
export function requireNetwork(config: RunConfig, verb: string): NetworkConfig {
  if (config.kind === "network") return config;
  throw new EngineError({
    code: "CONFIG-KIND",
    message: `eigenstep ${verb} is for runs of networks; ${config.preset} is of kind ${config.kind}`,
    fix: "Choose a network's preset or run, for example tiny-barlow.",
    where: config.preset,
  });
}
