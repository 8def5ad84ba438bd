/** Numbers as people read them. */

/** About four significant digits, without a forest of zeros; a dash for nothing. */
export function shortNumber(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(Math.max(0, digits - 2));
  return String(Number(value.toPrecision(digits)));
}

/** Powers of ten with a raised exponent where plain digits would be long. */
export function axisText(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 0.009 && size < 1e5)) return String(Number(value.toPrecision(6)));
  const exponent = Math.round(Math.log10(size));
  if (Math.abs(size / 10 ** exponent - 1) > 1e-9) return "";
  return `10${[...String(exponent)].map((digit) => RAISED[digit] ?? digit).join("")}`;
}

const RAISED: Readonly<Record<string, string>> = Object.fromEntries(
  [..."-0123456789"].map((digit, index) => [digit, [..."⁻⁰¹²³⁴⁵⁶⁷⁸⁹"][index] ?? digit]),
);

/** A share in per cent, with its sign and without the unit. */
export function percent(value: number | null): string {
  if (value === null) return "";
  const size = Math.abs(100 * value);
  if (size < 0.005) return "0.00";
  return `${value < 0 ? "−" : "+"}${size < 10 ? size.toFixed(2) : size.toFixed(1)}`;
}

export function bytes(count: number): string {
  return count < 2 ** 20 ? `${(count / 2 ** 10).toFixed(0)} KiB` : `${(count / 2 ** 20).toFixed(1)} MiB`;
}

/** Ticks of a logarithmic axis: 1, 2, 5 over few decades, else whole decades, not more than about eight. */
export function logTicks(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const mantissas = last - first <= 3 ? [1, 2, 5] : [1];
  const stride = Math.ceil((last - first) / 8);
  const ticks: number[] = [];
  for (let exponent = first; exponent <= last; exponent++) {
    if (exponent % stride !== 0) continue;
    for (const mantissa of mantissas) {
      // Through decimal text: 10 ** -5 is not the number that 1e-5 is.
      const tick = Number(`${mantissa}e${exponent}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}
