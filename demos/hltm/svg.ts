/** SVG elements by name, attributes and text. */
export function shape(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content?: string,
): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (content !== undefined) made.textContent = content;
  return made;
}
