/** Panels of an operator run: agreement with the gradient, spectra over time, size beside the intra-augmentation covariance, growth. */
import { interpolateViridis } from "d3-scale-chromatic";
import type { Axis } from "../axes.ts";
import type { Series } from "../curves.ts";
import { modeColor } from "../figure.ts";
import { fullLayout, smallLayout } from "../layout.ts";
import type { Curve, LegendEntry, Look, PanelSpec } from "../panel.ts";
import { lengthOf, type Measurements, rangeOf, seriesOf } from "./layerCurves.ts";

/** ‖−∇ − OP·vec(W)‖/‖∇‖ of vectors of equal length at cosine 0.9999: √(2·(1 − 0.9999)). */
const RESIDUAL_AT_COSINE = Math.sqrt(2 * (1 - 0.9999));
const PREDICTED: Look = { stroke: "#000", width: 1.3, dash: "6 4" };
/** Eigenvalues of a panel: more are a wall. */
const MOST_EIGENVALUES = 32;

function layerLook(layer: number, layers: number): Look {
  return {
    stroke: interpolateViridis(layers > 1 ? 0.05 + (0.8 * layer) / (layers - 1) : 0.3),
    width: 2.4,
    marker: layer,
  };
}

function stepAxis({ records }: Measurements): Axis {
  return { scale: "linear", domain: [0, records.at(-1)?.step || 1], label: "step" };
}

interface PanelParts {
  readonly title: string;
  readonly subtitle: string;
  readonly description: string;
  readonly y: Axis;
  readonly curves: readonly Curve[];
  readonly legend: readonly LegendEntry[];
  readonly id: string;
  readonly isSmall?: boolean;
}

function panel(measured: Measurements, { curves, isSmall = false, ...parts }: PanelParts): PanelSpec {
  const x = stepAxis(measured);
  return {
    ...parts,
    x: isSmall ? { ...x, label: "" } : x,
    hasHalfLine: false,
    layers: [{ curves }],
    ruleWord: "",
    layout: isSmall ? smallLayout(170) : fullLayout(230),
  };
}

function layerCurves(measured: Measurements, key: string): Curve[] {
  return Array.from({ length: measured.layers }, (_, index) => ({
    series: seriesOf(measured, key, index),
    look: layerLook(index, measured.layers),
    name: `layer ${index + 1}`,
  }));
}

function layerLegend({ layers }: Measurements): LegendEntry[] {
  return Array.from({ length: layers }, (_, index) => ({ text: `layer ${index + 1}`, look: layerLook(index, layers) }));
}

function decades([low, high]: readonly [number, number]): [number, number] {
  return [10 ** Math.floor(Math.log10(low) - 0.05), 10 ** Math.ceil(Math.log10(high) + 0.05)];
}

/** Relative residual of −∇W_l = OP_l·vec(W_l) by layer, below the line of cosine 0.9999. */
export function agreementPanel(measured: Measurements, id: string): PanelSpec {
  const curves = layerCurves(measured, "residual");
  const [low, high] = rangeOf(
    curves.map(({ series }) => series),
    true,
  );
  const end = measured.records.at(-1)?.step || 1;
  const limit: Series = { t: Float64Array.of(0, end), y: Float64Array.of(RESIDUAL_AT_COSINE, RESIDUAL_AT_COSINE) };
  return panel(measured, {
    title: "(a) Gradient and operator",
    subtitle: "‖−∇W − OP·vec(W)‖ / ‖∇W‖",
    description:
      "Relative distance of the negative gradient from the operator applied to the weights, by layer, over steps",
    y: {
      scale: "log",
      domain: decades([Math.min(low, 1e-7), Math.max(high, 2 * RESIDUAL_AT_COSINE)]),
      label: "relative residual  (logarithmic)",
    },
    curves: [{ series: limit, look: PREDICTED, name: "cosine 0.9999" }, ...curves],
    legend: [...layerLegend(measured), { text: "cosine 0.9999", look: PREDICTED }],
    id: `agreement-${id}`,
  });
}

/** Leading eigenvalues of V_x[K̄_l] over steps, one panel for each layer. */
export function spectrumPanels(measured: Measurements, id: string): PanelSpec[] {
  return Array.from({ length: measured.layers }, (_, index) => {
    const key = `operator.${index + 1}`;
    const count = Math.min(MOST_EIGENVALUES, lengthOf(measured, key));
    const curves = Array.from({ length: count }, (_unused, mode): Curve => {
      const look = { stroke: modeColor(mode, count), width: 1.8 };
      return { series: seriesOf(measured, key, mode), look, name: `eigenvalue ${mode + 1}` };
    });
    const range = rangeOf(
      curves.map(({ series }) => series),
      true,
    );
    return panel(measured, {
      title: "",
      subtitle: `Layer ${index + 1}: ${count} largest eigenvalues`,
      description: `The ${count} largest eigenvalues of the covariance operator of layer ${index + 1} over steps`,
      y: { scale: "log", domain: [range[0] / 1.3, range[1] * 1.3], label: "" },
      curves,
      legend: [],
      id: `spectrum-${index + 1}-${id}`,
      isSmall: true,
    });
  });
}

/** ‖V_x[K̄_l]‖_F/‖E_x V_{aug|x}[K_l]‖_F by layer; undefined for a run without augmentation. */
export function ratioPanel(measured: Measurements, id: string): PanelSpec | undefined {
  if (lengthOf(measured, "intraRatio") === 0) return undefined;
  const curves = layerCurves(measured, "intraRatio");
  const [, high] = rangeOf(
    curves.map(({ series }) => series),
    false,
  );
  return panel(measured, {
    title: "(c) Between images and within",
    subtitle: "‖V_x[K̄]‖ / ‖E_x V_aug[K]‖, Frobenius norms",
    description: "Norm of the covariance operator over that of the intra-augmentation covariance, by layer, over steps",
    y: { scale: "linear", domain: [0, 1.06 * high], label: "ratio" },
    curves,
    legend: layerLegend(measured),
    id: `ratio-${id}`,
  });
}

/** Growth of the weights along the leading eigenvector of the measurement before, one panel a layer, beside the frozen operator's. */
export function growthPanels(measured: Measurements, id: string): PanelSpec[] {
  return Array.from({ length: measured.layers }, (_, index) => {
    const [key, predictedKey] = [`growth.${index + 1}`, `growthPredicted.${index + 1}`];
    const look = { ...layerLook(index, measured.layers), marker: undefined, width: 3.5 };
    const curves: Curve[] = [{ series: seriesOf(measured, key, 0), look, name: "measured" }];
    if (lengthOf(measured, predictedKey) > 0) {
      curves.push({ series: seriesOf(measured, predictedKey, 0), look: PREDICTED, name: "frozen operator" });
    }
    const [low, high] = rangeOf(
      curves.map(({ series }) => series),
      false,
    );
    return panel(measured, {
      title: "",
      subtitle: `Layer ${index + 1}: ln(growth) a step along the leading eigenvector`,
      description: `Measured and predicted growth rate of the weights of layer ${index + 1} along the leading eigenvector, over steps`,
      y: { scale: "linear", domain: [Math.min(0, 1.05 * low), 1.05 * high || 1], label: "" },
      curves,
      legend: [],
      id: `growth-${index + 1}-${id}`,
      isSmall: true,
    });
  });
}
