/** Style and script of the report's page. Switches are radio buttons and CSS: without scripts only saving is missing. */

export const STYLE = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 60px; max-width: 924px; background: #fff; color: #222;
  font: 15px/1.5 Helvetica, Arial, "Liberation Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 2px; }
h2 { font-size: 19px; margin: 36px 0 8px; }
h3 { font-size: 15px; margin: 0 0 6px; }
p { margin: 8px 0; max-width: 96ch; }
.sub { color: #555; margin: 0 0 14px; }
.note { border-left: 4px solid #D55E00; background: #fdf3ec; padding: 6px 12px; }
.switch { position: absolute; opacity: 0; pointer-events: none; }
.bar { display: flex; flex-wrap: wrap; gap: 8px 26px; margin: 18px 0 6px; }
.bar span { color: #555; margin-right: 6px; }
.bar label { border: 1px solid #8a8a8a; padding: 3px 11px; cursor: pointer; display: inline-block; }
.bar label + label { border-left: 0; }
sub { line-height: 0; }
figure { margin: 0 0 6px; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { color: #444; font-size: 13.5px; max-width: 104ch; }
button { font: inherit; font-size: 13px; padding: 2px 10px; margin: 2px 0 14px; border: 1px solid #8a8a8a; background: #fff; cursor: pointer; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 12px 3px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #e2e2e2; }
thead th { border-bottom: 1.5px solid #222; vertical-align: bottom; }
.number { text-align: right; padding-left: 12px; }
tbody th { font-weight: normal; color: #444; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 4px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 20px 36px; }
.columns td { overflow-wrap: anywhere; }
@media print {
  @page { margin: 14mm; }
  body { padding: 0; max-width: none; font-size: 10.5pt; }
  .bar, button { display: none; }
  figure, tr, .note { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  figure svg { max-height: 105mm; }
}
`;

/** Saves a panel as it is shown: what a switch hides is left out. */
export const SCRIPT = `
for (const button of document.querySelectorAll("button[data-panel]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const panels = [...document.querySelectorAll('[data-panel="' + button.dataset.panel + '"] svg')];
    const shown = panels.find((svg) => svg.getClientRects().length > 0);
    const copy = shown.cloneNode(true);
    const groups = [...shown.querySelectorAll("g[class]")];
    [...copy.querySelectorAll("g[class]")].forEach((group, index) => {
      if (getComputedStyle(groups[index]).display === "none") group.remove();
    });
    const text = new XMLSerializer().serializeToString(copy);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    link.download = button.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
`;
