/** Named configurations, plain JSON in presets/. A preset may extend another one and name only what differs. */
import type { RunConfig } from "./contract.ts";
import { extended } from "./extend.ts";
import type { HltmConfig } from "./hltm/config.ts";
import type { LinearConfig } from "./linear/config.ts";
import type { NetworkConfig } from "./network/config.ts";
import type { OperatorIdentityConfig } from "./operatorIdentity/config.ts";
import type { OperatorTrainingConfig } from "./operatorTraining/config.ts";
import bimodalBarlow from "./presets/bimodal-barlow.json" with { type: "json" };
import bimodalSimclr from "./presets/bimodal-simclr.json" with { type: "json" };
import bimodalVicreg from "./presets/bimodal-vicreg.json" with { type: "json" };
import controlBarlow from "./presets/control-barlow.json" with { type: "json" };
import controlSimclr from "./presets/control-simclr.json" with { type: "json" };
import controlVicreg from "./presets/control-vicreg.json" with { type: "json" };
import convBarlow from "./presets/conv-barlow.json" with { type: "json" };
import convSimclr from "./presets/conv-simclr.json" with { type: "json" };
import convVicreg from "./presets/conv-vicreg.json" with { type: "json" };
import freshBarlow from "./presets/fresh-barlow.json" with { type: "json" };
import freshSimclr from "./presets/fresh-simclr.json" with { type: "json" };
import freshVicreg from "./presets/fresh-vicreg.json" with { type: "json" };
import hltm from "./presets/hltm.json" with { type: "json" };
import hltmTable from "./presets/hltm-table.json" with { type: "json" };
import hltmWidth from "./presets/hltm-width.json" with { type: "json" };
import linBarlow from "./presets/lin-barlow.json" with { type: "json" };
import linSimclr from "./presets/lin-simclr.json" with { type: "json" };
import linVicreg from "./presets/lin-vicreg.json" with { type: "json" };
import linearAmplitudeBias from "./presets/linear-amplitude-bias.json" with { type: "json" };
import linearCifar from "./presets/linear-cifar.json" with { type: "json" };
import linearExtentBias from "./presets/linear-extent-bias.json" with { type: "json" };
import linearMnist from "./presets/linear-mnist.json" with { type: "json" };
import linearSynthetic from "./presets/linear-synthetic.json" with { type: "json" };
import mlpBarlow from "./presets/mlp-barlow.json" with { type: "json" };
import operatorIdentity from "./presets/operator-identity.json" with { type: "json" };
import operatorTraining from "./presets/operator-training.json" with { type: "json" };
import probeBarlow from "./presets/probe-barlow.json" with { type: "json" };
import probeInfonce from "./presets/probe-infonce.json" with { type: "json" };
import probeSimclr from "./presets/probe-simclr.json" with { type: "json" };
import resnet18CifarBarlow from "./presets/resnet18-cifar-barlow.json" with { type: "json" };
import resnet18CifarByol from "./presets/resnet18-cifar-byol.json" with { type: "json" };
import resnet18CifarSimclr from "./presets/resnet18-cifar-simclr.json" with { type: "json" };
import resnet18CifarSimsiam from "./presets/resnet18-cifar-simsiam.json" with { type: "json" };
import resnet18CifarSpectral from "./presets/resnet18-cifar-spectral.json" with { type: "json" };
import resnet18CifarVicreg from "./presets/resnet18-cifar-vicreg.json" with { type: "json" };
import simclrExactCovAugmented from "./presets/simclr-exact-cov-augmented.json" with { type: "json" };
import simclrExactCovBeta20 from "./presets/simclr-exact-cov-beta-20.json" with { type: "json" };
import simclrExactCovBeta50 from "./presets/simclr-exact-cov-beta-50.json" with { type: "json" };
import simclrExactCovBetaMinus20 from "./presets/simclr-exact-cov-beta-minus-20.json" with { type: "json" };
import simclrExactCovBetaMinus50 from "./presets/simclr-exact-cov-beta-minus-50.json" with { type: "json" };
import simclrExactCovNtxent from "./presets/simclr-exact-cov-ntxent.json" with { type: "json" };
import simclrExactCovUnaugmented from "./presets/simclr-exact-cov-unaugmented.json" with { type: "json" };
import smallBarlow from "./presets/small-barlow.json" with { type: "json" };
import smallBarlowStd from "./presets/small-barlow-std.json" with { type: "json" };
import smallSimclr from "./presets/small-simclr.json" with { type: "json" };
import smallVicreg from "./presets/small-vicreg.json" with { type: "json" };
import stl10Resnet50Barlow from "./presets/stl10-resnet50-barlow.json" with { type: "json" };
import stl10Resnet50BarlowStandard from "./presets/stl10-resnet50-barlow-standard.json" with { type: "json" };
import stl10Resnet50Byol from "./presets/stl10-resnet50-byol.json" with { type: "json" };
import stl10Resnet50ByolStandard from "./presets/stl10-resnet50-byol-standard.json" with { type: "json" };
import stl10Resnet50Simclr from "./presets/stl10-resnet50-simclr.json" with { type: "json" };
import stl10Resnet50SimclrStandard from "./presets/stl10-resnet50-simclr-standard.json" with { type: "json" };
import stl10Resnet50Simsiam from "./presets/stl10-resnet50-simsiam.json" with { type: "json" };
import stl10Resnet50SimsiamStandard from "./presets/stl10-resnet50-simsiam-standard.json" with { type: "json" };
import stl10Resnet50Spectral from "./presets/stl10-resnet50-spectral.json" with { type: "json" };
import stl10Resnet50SpectralStandard from "./presets/stl10-resnet50-spectral-standard.json" with { type: "json" };
import stl10Resnet50Vicreg from "./presets/stl10-resnet50-vicreg.json" with { type: "json" };
import stl10Resnet50VicregStandard from "./presets/stl10-resnet50-vicreg-standard.json" with { type: "json" };
import tinyBarlow from "./presets/tiny-barlow.json" with { type: "json" };
import tinySimclr from "./presets/tiny-simclr.json" with { type: "json" };
import tinyVicreg from "./presets/tiny-vicreg.json" with { type: "json" };

/** JSON imports widen literals, hence the casts; the command validates each use, and a test validates all. */
export const linearPresets = extended([
  linearMnist,
  linearCifar,
  linearSynthetic,
  linearExtentBias,
  linearAmplitudeBias,
]) as unknown as Readonly<Record<string, LinearConfig>>;

export const networkPresets = extended([
  tinyBarlow,
  tinySimclr,
  tinyVicreg,
  smallBarlow,
  smallBarlowStd,
  smallSimclr,
  smallVicreg,
  freshBarlow,
  freshSimclr,
  freshVicreg,
  controlBarlow,
  controlSimclr,
  controlVicreg,
  linBarlow,
  linSimclr,
  linVicreg,
  mlpBarlow,
  convBarlow,
  convSimclr,
  convVicreg,
  bimodalBarlow,
  bimodalSimclr,
  bimodalVicreg,
  probeSimclr,
  probeBarlow,
  probeInfonce,
  simclrExactCovNtxent,
  simclrExactCovAugmented,
  simclrExactCovUnaugmented,
  simclrExactCovBetaMinus50,
  simclrExactCovBetaMinus20,
  simclrExactCovBeta20,
  simclrExactCovBeta50,
  resnet18CifarBarlow,
  resnet18CifarByol,
  resnet18CifarSimclr,
  resnet18CifarSimsiam,
  resnet18CifarSpectral,
  resnet18CifarVicreg,
  stl10Resnet50Barlow,
  stl10Resnet50BarlowStandard,
  stl10Resnet50Byol,
  stl10Resnet50ByolStandard,
  stl10Resnet50Simclr,
  stl10Resnet50SimclrStandard,
  stl10Resnet50Simsiam,
  stl10Resnet50SimsiamStandard,
  stl10Resnet50Spectral,
  stl10Resnet50SpectralStandard,
  stl10Resnet50Vicreg,
  stl10Resnet50VicregStandard,
]) as unknown as Readonly<Record<string, NetworkConfig>>;

export const operatorPresets = extended([operatorIdentity, operatorTraining]) as unknown as Readonly<
  Record<string, OperatorIdentityConfig | OperatorTrainingConfig>
>;

export const hltmPresets = extended([hltm, hltmTable, hltmWidth]) as unknown as Readonly<Record<string, HltmConfig>>;

/** By name; the keys are what `eigenstep train` takes. */
export const presets: Readonly<Record<string, RunConfig>> = {
  ...linearPresets,
  ...networkPresets,
  ...operatorPresets,
  ...hltmPresets,
};
