/** Tables of the report's page. */
import { formatNumber } from "./format.ts";
import { escaped } from "./markup.ts";

export type Row = readonly [name: string, value: string];

/** @param head HTML; the cells are text */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isNumber: (column: number) => boolean,
): string {
  const cell = (tag: string, text: string, column: number) =>
    `<${tag}${isNumber(column) ? ' class="number"' : ""}>${text}</${tag}>`;
  return `<div class="scroll"><table><thead><tr>${head.map((text, column) => cell("th", text, column)).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map((text, column) => cell("td", escaped(text), column)).join("")}</tr>`).join("\n")}</tbody></table></div>`;
}

export function rowTable(rows: readonly Row[]): string {
  return `<table><tbody>${rows.map(([name, value]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(value)}</td></tr>`).join("\n")}</tbody></table>`;
}

export function timeText(time: number | null | undefined, otherwise: string): string {
  return time === null || time === undefined ? otherwise : formatNumber(time, 5);
}

/** A heading, with the run's name where there are several. */
export function sectionHeading(text: string, label: string | undefined): string {
  return `<h2>${escaped(text)}${label === undefined ? "" : ` of ${escaped(label)}`}</h2>`;
}
