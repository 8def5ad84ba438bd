/** What is left off the diagonal after each sweep, on a logarithmic scale: convergence is linear first, then quadratic. */

const WIDTH = 560;
const HEIGHT = 190;
const LEFT = 52;
const BOTTOM = 30;
const TOP = 10;
const RIGHT = 12;
/** Lowest decade that is drawn; an off-diagonal of nothing at all lies on it. */
const FLOOR = -12;
/** The axis has room for at least so many sweeps. */
const SWEEPS = 8;

/** @param offNorms by sweep, the first of the matrix as given; @param current the sweep that is shown */
export function drawOffNorms(target: SVGSVGElement, offNorms: readonly number[], current: number): void {
  const sweeps = Math.max(SWEEPS, offNorms.length - 1);
  const x = (sweep: number): number => LEFT + (sweep / sweeps) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => {
    const decade = Math.max(FLOOR, value > 0 ? Math.log10(value) : FLOOR);
    return TOP + (decade / FLOOR) * (HEIGHT - TOP - BOTTOM);
  };
  target.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  target.replaceChildren();
  for (let decade = 0; decade >= FLOOR; decade -= 3) {
    const at = y(10 ** decade);
    target.append(shape("path", { class: "grid", d: `M${LEFT} ${at}H${WIDTH - RIGHT}` }));
    target.append(text(LEFT - 8, at + 4, decade === 0 ? "1" : `1e${decade}`, "end"));
  }
  for (let sweep = 0; sweep <= sweeps; sweep += sweeps > 12 ? 2 : 1) {
    target.append(text(x(sweep), HEIGHT - 12, String(sweep), "middle"));
  }
  const points = offNorms.map((value, sweep) => `${x(sweep)} ${y(value)}`);
  if (points.length > 1) target.append(shape("path", { class: "line", d: `M${points.join("L")}` }));
  offNorms.forEach((value, sweep) => {
    const isCurrent = sweep === current;
    target.append(
      shape("circle", {
        class: isCurrent ? "dot current" : "dot",
        cx: String(x(sweep)),
        cy: String(y(value)),
        r: isCurrent ? "6" : "4",
      }),
    );
  });
}

function shape(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function text(x: number, y: number, content: string, anchor: string): SVGElement {
  const element = shape("text", { x: String(x), y: String(y), "text-anchor": anchor });
  element.textContent = content;
  return element;
}
