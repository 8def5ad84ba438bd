/** The form of settings: shows them, reads them back, says what is wrong with them. */
import { block, input, select, setText } from "./elements.ts";
import { shortNumber } from "./numbers.ts";
import { DATA_SETS, defaults, faultOf, type PresetName, RATES, rangeOf, type Settings } from "./settings.ts";

const NUMBERS = ["images", "crop", "decay", "d", "init", "lr", "seed"] as const;

export class SettingsForm {
  #settings: Settings;

  /** @param onChange gets valid settings, and the id of the field they came from */
  constructor(settings: Settings, onChange: (settings: Settings, field: string) => void) {
    this.#settings = settings;
    for (const [value, label] of Object.entries(DATA_SETS)) select("preset").add(new Option(label, value));
    for (const rate of RATES) {
      select("rate").add(new Option(rate === 0 ? "as fast as it goes" : `${rate} steps a second`, String(rate)));
    }
    const form = block("settings");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => this.#changed(event.target, onChange));
    input("decay").addEventListener("input", () =>
      setText(block("decay-value"), Number(input("decay").value).toFixed(2)),
    );
    this.show(settings);
  }

  show(settings: Settings): void {
    this.#settings = settings;
    select("preset").value = settings.preset;
    select("rate").value = String(settings.rate);
    for (const key of NUMBERS) {
      const field = input(key);
      field.value = key === "decay" ? settings.decay.toFixed(2) : String(settings[key]);
      field.removeAttribute("aria-invalid");
      if (field.type !== "text") {
        const { least, most } = rangeOf(key, settings);
        field.min = String(least);
        field.max = String(most);
      }
    }
    setText(block("decay-value"), settings.decay.toFixed(2));
    input("log-t").checked = settings.logT;
    input("log-lambda").checked = settings.logLambda;
    for (const label of document.querySelectorAll<HTMLElement>("[data-only]")) {
      label.hidden = label.dataset.only !== settings.preset;
    }
    this.showFault(undefined);
  }

  showBound(bound: number | null | undefined): void {
    const text =
      bound === undefined
        ? ""
        : bound === null
          ? "No direction of the data can be learned: γ₁ ≤ 0."
          : `Gradient descent needs a learning rate below 1/(4γ₁) = ${shortNumber(bound)}.`;
    setText(block("lr-bound"), text);
  }

  /** Marks a field as wrong. */
  showFault(fault: { readonly key: string; readonly message: string } | undefined): void {
    for (const key of NUMBERS) input(key).removeAttribute("aria-invalid");
    if (fault) input(fault.key).setAttribute("aria-invalid", "true");
    block("settings-fault").hidden = fault === undefined;
    setText(block("settings-fault"), fault?.message ?? "");
  }

  #changed(target: EventTarget | null, onChange: (settings: Settings, field: string) => void): void {
    const field = (target as HTMLElement | null)?.id ?? "";
    const before = this.#settings;
    const settings =
      field === "preset" ? { ...defaults(select("preset").value as PresetName), rate: before.rate } : this.#read();
    const fault = faultOf(settings);
    if (fault) {
      this.showFault(fault);
      return;
    }
    this.show(settings);
    onChange(settings, field);
  }

  #read(): Settings {
    const numbers = Object.fromEntries(
      NUMBERS.map((key) => [
        key,
        input(key).value.trim() === "" ? Number.NaN : Number(input(key).value.replace(",", ".")),
      ]),
    );
    return {
      ...this.#settings,
      ...numbers,
      rate: Number(select("rate").value),
      logT: input("log-t").checked,
      logLambda: input("log-lambda").checked,
    };
  }
}
