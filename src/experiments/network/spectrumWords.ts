/** The recorded matrix in words: what every figure and summary of its eigenvalues names. */
import type { SpectrumMatrix } from "./config.ts";

/** The part of a network run's configuration that the words depend on. */
export interface WatchedConfig {
  readonly spectrum: { readonly of: SpectrumMatrix; readonly over?: "probe" | "batch" | undefined };
  readonly loss: { readonly kind: string; readonly form?: string | undefined; readonly epsilon?: number | undefined };
  readonly data: { readonly sampling: { readonly kind: "fixed" } | { readonly kind: "fresh"; readonly probe: number } };
}

/** The pairs of views that are recorded. */
export function recordedPairs({ data: { sampling }, spectrum }: Pick<WatchedConfig, "data" | "spectrum">): string {
  if (sampling.kind === "fixed") return "the training pairs";
  return spectrum.over === "batch" ? "the pairs of the step's batch" : `${sampling.probe} probe pairs`;
}

/** The recorded matrix in words, for figures and summaries. */
export function spectrumWords(config: WatchedConfig): string {
  const { spectrum, loss } = config;
  const over = recordedPairs(config);
  switch (spectrum.of) {
    case "correlation": {
      const form = loss.kind === "barlow" ? loss.form : "";
      const epsilon = loss.kind === "barlow" && form === "standardized" ? `, ε = ${loss.epsilon}` : "";
      return `the cross-correlation matrix C of the ${form} embeddings${epsilon}, over ${over}`;
    }
    case "covariance":
      return `the covariance of the embeddings of both views, over ${over}`;
    case "normalizedCovariance":
      return `the covariance of the l2-normalised embeddings of both views, over ${over}`;
    case "standardizedCovariance":
      return `the covariance of the standardised embeddings of both views, over ${over}`;
  }
}
