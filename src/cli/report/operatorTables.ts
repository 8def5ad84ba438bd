/** Covariance operators as text: a line for each layer of an operator run, or for each kind of operator of an identity run. */
import { alignColumns } from "../../report/format.ts";
import {
  formRows,
  type IdentityMeasured,
  identitySentence,
  layerRows,
  type OperatorMeasured,
} from "../../report/operator/measured.ts";

/** As many columns as a terminal of 80 shows; the report's page has all. */
const COLUMNS = 6;

export function operatorTable(measured: OperatorMeasured): string[] {
  const { head, rows } = layerRows(measured);
  return alignColumns([head, ...rows].map((row) => row.slice(0, COLUMNS)));
}

/** Lines of the table, a summary below in lines of at most 80 columns. */
export function identityTable(measured: IdentityMeasured): string[] {
  const rows = [["operator", "checks", "residual"], ...formRows(measured)];
  return [...alignColumns(rows, [0]), "", ...identitySentence(measured).split("; ")];
}
