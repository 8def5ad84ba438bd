/** A matrix from what somebody typed, pasted or dropped, or a sentence about what is wrong with it. */
import { parseNpy, toFloat32 } from "../../src/data/index.ts";
import { EngineError } from "../../src/errors.ts";

/** Largest order that is drawn. */
export const MAX_ORDER = 128;
/** Asymmetry beyond this, relative to the largest entry, is no rounding: 8 units in the last place of f32. */
const ASYMMETRY = 2 ** -20;

export interface OwnMatrix {
  readonly n: number;
  /** f32[n, n], symmetric. */
  readonly entries: Float32Array;
}

/** A matrix that is square but not symmetric; its symmetric part may be what was meant. */
export class AsymmetryError extends EngineError {
  readonly symmetricPart: OwnMatrix;

  constructor(message: string, symmetricPart: OwnMatrix) {
    super({ code: "DEMO-ASYMMETRIC", message, fix: "Correct it, or take its symmetric part (A + Aᵀ)/2." });
    this.symmetricPart = symmetricPart;
  }
}

/** @throws EngineError with a message for people: DEMO-MATRIX, DEMO-ASYMMETRIC, or the .npy reader's */
export function readFile(name: string, bytes: Uint8Array): OwnMatrix {
  const isNpy = /\.npy$/i.test(name) || (bytes[0] === 0x93 && bytes[1] === 0x4e);
  if (!isNpy) return readText(new TextDecoder().decode(bytes));
  const npy = parseNpy(bytes, name);
  const shape = npy.shape.filter((size, axis) => size !== 1 || axis >= npy.shape.length - 2);
  const [rows, columns] = shape;
  if (shape.length !== 2 || rows === undefined || columns === undefined) {
    throw fault(`${name} has shape [${npy.shape.join(", ")}]; one square matrix is needed`, "Save one matrix [n, n].");
  }
  toFloat32(npy);
  return symmetric(Float64Array.from(npy.data), rows, columns);
}

/** Rows on lines; numbers separated by commas, semicolons, tabs or spaces. Brackets of Python and MATLAB are allowed. */
export function readText(text: string): OwnMatrix {
  const plain = text
    .replace(/\]\s*,?/g, "\n")
    .replace(/\[/g, " ")
    .trim();
  // On a single line semicolons end rows, as in MATLAB; elsewhere they separate columns.
  const lines = plain
    .split(plain.includes("\n") ? /\r?\n/ : ";")
    .map((line) => line.trim().replace(/[,;]$/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines.length === 0) throw fault("There are no numbers", "Type or paste one row of the matrix on each line.");
  const rows = lines.map((line, index) =>
    line.split(/\s*[,;\t]\s*|\s+/).map((word, column) => numberOf(word, `row ${index + 1}, column ${column + 1}`)),
  );
  const columns = rows[0]?.length ?? 0;
  const ragged = rows.findIndex((row) => row.length !== columns);
  if (ragged >= 0) {
    throw fault(
      `Row ${ragged + 1} has ${rows[ragged]?.length} numbers; the first row has ${columns}`,
      "Give every row as many numbers.",
    );
  }
  return symmetric(Float64Array.from(rows.flat()), rows.length, columns);
}

function numberOf(word: string, where: string): number {
  const value = Number(word.replace("−", "-"));
  if (word !== "" && Number.isFinite(value)) return value;
  throw fault(`“${word}” (${where}) is not a finite number`, "Write numbers like 1, -0.25 or 3e-7.");
}

function symmetric(entries: Float64Array, rows: number, columns: number): OwnMatrix {
  if (rows !== columns) {
    throw fault(
      `The matrix has ${rows} rows and ${columns} columns; it must be square`,
      "For singular values of other matrices there is the command eigenstep svd.",
    );
  }
  const n = rows;
  if (n > MAX_ORDER) {
    throw fault(
      `The matrix has order ${n}; this page draws up to ${MAX_ORDER}`,
      "The command eigenstep eigh and the library take larger ones.",
    );
  }
  const part = new Float32Array(n * n);
  let [largest, gap, at] = [0, 0, [0, 0]];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const [value, mirrored] = [entries[i * n + j] ?? 0, entries[j * n + i] ?? 0];
      part[i * n + j] = (value + mirrored) / 2;
      if (!Number.isFinite(Math.fround(value))) {
        const where = `row ${i + 1}, column ${j + 1}`;
        throw fault(`The entry ${value} (${where}) is beyond the range of f32`, "Scale the matrix down.");
      }
      largest = Math.max(largest, Math.abs(value));
      if (Math.abs(value - mirrored) > gap) [gap, at] = [Math.abs(value - mirrored), [i + 1, j + 1]];
    }
  }
  if (gap > ASYMMETRY * largest) {
    const [i, j] = at;
    throw new AsymmetryError(
      `The matrix is not symmetric: entries (${i}, ${j}) and (${j}, ${i}) differ by ${Number(gap.toPrecision(3))}`,
      { n, entries: part },
    );
  }
  return { n, entries: part };
}

function fault(message: string, fix: string): EngineError {
  return new EngineError({ code: "DEMO-MATRIX", message: `${message}.`, fix });
}
