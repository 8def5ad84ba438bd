/**
 * Constant expressions of WGSL as loop bounds, array indices and conditions on knobs need them: integers and booleans, named constants,
 * `+ - * / %`, comparisons, `! && ||`, parentheses.
 */

export type Constant = number | boolean;

/** Operators by rising precedence; each level is left-associative. */
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["+", "-"],
  ["*", "/", "%"],
];

/** Value of `text`, or undefined when it is not a constant expression over `constants`. */
export function evaluateConstant(text: string, constants: ReadonlyMap<string, Constant>): Constant | undefined {
  const tokens = text.match(/\d+\.\d*|\d+[ui]?|[A-Za-z_]\w*|\|\||&&|[=!<>]=|\S/g) ?? [];
  let at = 0;

  const primary = (): Constant | undefined => {
    const token = tokens[at++];
    if (token === undefined) return undefined;
    if (token === "(") {
      const inner = binary(0);
      return tokens[at++] === ")" ? inner : undefined;
    }
    if (token === "!") {
      const value = primary();
      return typeof value === "boolean" ? !value : undefined;
    }
    if (/^\d+[ui]?$/.test(token)) return Number.parseInt(token, 10);
    if (token === "true" || token === "false") return token === "true";
    // A name followed by "(" is a call or a conversion, which this small language does not have.
    return tokens[at] === "(" ? undefined : constants.get(token);
  };
  const binary = (level: number): Constant | undefined => {
    const operators = LEVELS[level];
    if (!operators) return primary();
    let left = binary(level + 1);
    while (left !== undefined && operators.includes(tokens[at] ?? "")) {
      const operator = tokens[at++] ?? "";
      const right = binary(level + 1);
      left = right === undefined ? undefined : apply(operator, left, right);
    }
    return left;
  };

  const value = binary(0);
  return at === tokens.length ? value : undefined;
}

/** Integer value of `text`, or undefined. */
export function evaluateInteger(text: string, constants: ReadonlyMap<string, Constant>): number | undefined {
  const value = evaluateConstant(text, constants);
  return typeof value === "number" ? value : undefined;
}

function apply(operator: string, left: Constant, right: Constant): Constant | undefined {
  if (typeof left === "boolean" || typeof right === "boolean") {
    if (typeof left !== typeof right) return undefined;
    if (operator === "&&") return left && right;
    if (operator === "||") return left || right;
    return operator === "==" ? left === right : operator === "!=" ? left !== right : undefined;
  }
  switch (operator) {
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case ">":
      return left > right;
    case "<=":
      return left <= right;
    case ">=":
      return left >= right;
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return right === 0 ? undefined : Math.trunc(left / right);
    case "%":
      return right === 0 ? undefined : left % right;
    default:
      return undefined;
  }
}
