/** Integer constant expressions of WGSL (`+ - * / %`, parentheses, named constants), as loop bounds and array indices need them. */

/** Value of `text`, or undefined when it is not a constant integer expression over `constants`. */
export function evaluateInteger(text: string, constants: ReadonlyMap<string, number>): number | undefined {
  const tokens = text.match(/\d+[ui]?|[A-Za-z_]\w*|[()+\-*/%]|\S/g) ?? [];
  let at = 0;

  const primary = (): number | undefined => {
    const token = tokens[at++];
    if (token === undefined) return undefined;
    if (token === "(") {
      const inner = sum();
      return tokens[at++] === ")" ? inner : undefined;
    }
    if (/^\d/.test(token)) return Number.parseInt(token, 10);
    // A name followed by "(" is a call or a conversion, which this small language does not have.
    return tokens[at] === "(" ? undefined : constants.get(token);
  };
  const product = (): number | undefined => {
    let left = primary();
    while (left !== undefined && (tokens[at] === "*" || tokens[at] === "/" || tokens[at] === "%")) {
      const operator = tokens[at++];
      const right = primary();
      if (right === undefined || (right === 0 && operator !== "*")) return undefined;
      left = operator === "*" ? left * right : operator === "/" ? Math.trunc(left / right) : left % right;
    }
    return left;
  };
  const sum = (): number | undefined => {
    let left = product();
    while (left !== undefined && (tokens[at] === "+" || tokens[at] === "-")) {
      const operator = tokens[at++];
      const right = product();
      if (right === undefined) return undefined;
      left = operator === "+" ? left + right : left - right;
    }
    return left;
  };

  const value = sum();
  return at === tokens.length ? value : undefined;
}
