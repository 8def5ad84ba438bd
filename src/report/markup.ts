/** Text and attributes for HTML and SVG. */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** `text` for use between tags and inside quoted attributes; control characters, which XML forbids, are left out. */
export function escaped(text: string): string {
  return text
    .replace(/(?![\t\n\r])\p{Cc}|[\ufffe\uffff]/gu, "")
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** `a="1" b="x"`; undefined values are left out. */
export function attributes(values: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}="${escaped(typeof value === "number" ? pixels(value) : String(value))}"`)
    .join("");
}

/** A coordinate with at most one decimal. */
export function pixels(value: number): string {
  return String(Math.round(10 * value) / 10);
}
