/** Runs of a kind that the report has no words for: their loss and eigenvalues, as measured. */
import type { StoredRun } from "./readRun.ts";
import type { ReportRun } from "./reportRun.ts";

export function otherRun(stored: StoredRun, label: string): ReportRun {
  const { kind, preset } = stored.config;
  return {
    stored,
    label,
    records: stored.records,
    words: { lossOn: "", lossAxis: "loss", spectrumOf: "the recorded matrix", timeAxis: "t", isUnitStaircase: false },
    defaultTime: "linear",
    trainedOn: `An experiment of kind “${kind}”, preset ${preset}.`,
    captions: { loss: "", eigenvalues: "Eigenvalues, sorted." },
    columnTitle: kind,
    columnSubtitle: label,
    axesKey: kind,
    notes: [`There is no theory for runs of kind “${kind}”.`],
    comparison: [],
    sections: () => "",
  };
}
