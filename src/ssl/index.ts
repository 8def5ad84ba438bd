/** Public surface of `eigenstep/ssl`: the losses, one file each. Re-exports only. */
export {
  type BarlowCorrelationOptions,
  type BarlowForm,
  type BarlowTwinsOptions,
  barlowCorrelation,
  barlowTerms,
  barlowTwins,
} from "./barlowTwins.ts";
export { type ByolOptions, byol, byolDirection } from "./byol.ts";
export { type CrossViewInfoNceOptions, crossViewInfoNce } from "./crossViewInfoNce.ts";
export { type ExactCovarianceOptions, exactCovariance } from "./exactCovariance.ts";
export { type InfoNceOptions, infoNce } from "./infoNce.ts";
export { type NtXentOptions, ntXent } from "./ntXent.ts";
export { type SimpleContrastiveOptions, simpleContrastive } from "./simpleContrastive.ts";
export { type SimSiamOptions, simSiam } from "./simSiam.ts";
export { type SoftTripletOptions, softTriplet } from "./softTriplet.ts";
export { type SpectralContrastiveOptions, spectralContrastive } from "./spectralContrastive.ts";
export { type VicregOptions, vicreg } from "./vicreg.ts";
export { wMse } from "./wMse.ts";
