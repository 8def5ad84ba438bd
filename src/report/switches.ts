/** Switches of the page: radio buttons and CSS, so that they work without scripts. */
import type { Figure, TheoryName, View } from "./figure.ts";
import { attributes } from "./markup.ts";
import { SCALE_NAMES, SCALES } from "./scales.ts";

/** What the page can be switched between. */
interface Switched {
  readonly figure: Figure;
  /** Shown first. */
  readonly view: View;
}

interface Choice {
  readonly id: string;
  readonly label: string;
  readonly isChecked: boolean;
}

interface Switch {
  readonly name: string;
  readonly label: string;
  readonly choices: readonly Choice[];
}

function switchesOf({ view, figure }: Switched): Switch[] {
  const scale = (name: string, label: string, now: string): Switch => ({
    name,
    label,
    choices: SCALES.map((one) => ({ id: `${name}-${one}`, label: SCALE_NAMES[one], isChecked: one === now })),
  });
  const theories: Switch = {
    name: "theory",
    label: "Theory",
    choices: figure.theories.map((one, index) => ({
      id: `theory-${one}`,
      label: THEORY_LABELS[one],
      isChecked: index === 0,
    })),
  };
  return [
    scale("time", "Time t", view.time),
    scale("eigenvalues", "Eigenvalues", view.eigenvalues),
    ...(theories.choices.length > 1 ? [theories] : []),
  ];
}

const THEORY_LABELS: Readonly<Record<TheoryName, string>> = { descent: "at this learning rate", flow: "gradient flow" };

/** Before everything else, so that `:checked ~ main` reaches the page. */
export function switches(content: Switched): string {
  return switchesOf(content)
    .flatMap(({ name, label, choices }) =>
      choices.map(
        (choice) =>
          `<input${attributes({ type: "radio", class: "switch", name, id: choice.id, "aria-label": `${label}: ${choice.label}` })}${choice.isChecked ? " checked" : ""}>`,
      ),
    )
    .join("\n");
}

export function bar(content: Switched): string {
  const parts = switchesOf(content).map(
    ({ label, choices }) =>
      `<div><span>${label}</span>${choices.map((choice) => `<label for="${choice.id}">${choice.label}</label>`).join("")}</div>`,
  );
  return `<div class="bar">${parts.join("\n")}</div>`;
}

export function switchStyle(content: Switched): string {
  const all = switchesOf(content).flatMap(({ choices }) => choices.map(({ id }) => id));
  const on = (suffix: string) => all.map((id) => `#${id}:${suffix} ~ main label[for="${id}"]`).join(",\n");
  const hidden = SCALES.flatMap((one) => [
    `#time-${one}:checked ~ main .view:not(.t-${one})`,
    `#eigenvalues-${one}:checked ~ main .view:not(.e-${one})`,
  ]);
  const { theories } = content.figure;
  const hiddenTheories = theories.flatMap((one) =>
    theories.filter((other) => other !== one).map((other) => `#theory-${one}:checked ~ main g.${other}`),
  );
  return `${on("checked")} { background: #222; color: #fff; }
${on("focus-visible")} { outline: 3px solid #56B4E9; outline-offset: 1px; }
${[...hidden, ...hiddenTheories].join(",\n")} { display: none; }
`;
}
