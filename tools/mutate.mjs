// Mutation check: each named defect is put into a copy of the tree, and the tests listed for it must fail there. A test that has never
// failed is not known to work.
//
//   npm run mutate                 all mutants
//   npm run mutate -- jacobi crop  those whose name contains one of the words
//
// The working tree is never touched: everything happens in a copy under the system's temporary folder.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Mutant
 * @property {string} name  what is wrong
 * @property {string} file  file to change
 * @property {string} from  text that occurs exactly once in it
 * @property {string} to    its replacement
 * @property {string[]} tests test files or folders of which one must fail
 */

const JACOBI = "shaders/linalg/jacobi_eigh.wgsl";
const REGISTER = "shaders/matmul/matmul_register.wgsl";
const WORKGROUP = "shaders/matmul/matmul_workgroup.wgsl";
const EIGH_TEST = ["test/kernels/eigh.test.ts"];
const MATMUL_TEST = ["test/kernels/matmul.test.ts"];
const RACE_TEST = ["test/meta/races.test.ts"];
const SYMMETRIC_TESTS = ["test/kernels/symmetric.test.ts"];
const GRADIENT_TEST = ["test/autodiff/grad.test.ts"];

const CONV_TEST = ["test/kernels/conv.test.ts"];
/** @type {Mutant[]} */
const MUTANTS = [
  {
    name: "jacobi: sign of a rotation flipped",
    file: JACOBI,
    from: "let pp1 = pp - si * (qp + ti * pp);",
    to: "let pp1 = pp + si * (qp + ti * pp);",
    tests: EIGH_TEST,
  },
  {
    name: "jacobi: the last round of every sweep left out",
    file: JACOBI,
    from: "round + 1u < players",
    to: "round + 2u < players",
    tests: EIGH_TEST,
  },
  {
    name: "jacobi: eigenvectors transposed",
    file: JACOBI,
    from: "= basis[base + row * n + at];",
    to: "= basis[base + at * n + row];",
    tests: EIGH_TEST,
  },
  {
    name: "jacobi: infinite input not flagged",
    file: JACOBI,
    from: "select(0u, 1u, largest >= 0x7f800000u)",
    to: "select(0u, 1u, largest > 0x7f800000u)",
    tests: EIGH_TEST,
  },
  {
    name: "reduce: barrier of the tree dropped",
    file: "shaders/lib/reduce.wgsl",
    from: "    workgroupBarrier();\n  }\n  let total",
    to: "  }\n  let total",
    tests: RACE_TEST,
  },
  {
    name: "cross_correlation: barrier before the tree dropped",
    file: "shaders/ssl/cross_correlation.wgsl",
    from: "= acc[q];\n  }\n  workgroupBarrier();",
    to: "= acc[q];\n  }",
    tests: RACE_TEST,
  },
  {
    name: "matmul_workgroup: barrier after the tiles dropped",
    file: WORKGROUP,
    from: "    workgroupBarrier();\n    for (var k = 0u",
    to: "    for (var k = 0u",
    tests: RACE_TEST,
  },
  {
    name: "matmul_workgroup: barrier before the next tiles dropped",
    file: WORKGROUP,
    from: "    workgroupBarrier();\n  }\n  let y_batch",
    to: "  }\n  let y_batch",
    tests: RACE_TEST,
  },
  {
    name: "matmul_register: ReLU before the bias",
    file: REGISTER,
    from: "          if (HAS_BIAS) {",
    to: "          if (RELU) {\n            value = max(value, 0.0);\n          }\n          if (HAS_BIAS) {",
    tests: MATMUL_TEST,
  },
  {
    name: "matmul_register: last odd K left out",
    file: REGISTER,
    from: "for (var k = whole; k < params.k; k++)",
    to: "for (var k = whole; k + 1u < params.k; k++)",
    tests: MATMUL_TEST,
  },
  {
    name: "matmul_register: one row too many stored",
    file: REGISTER,
    from: "if (row < params.m && column < params.n) {",
    to: "if (row <= params.m && column < params.n) {",
    tests: MATMUL_TEST,
  },
  {
    name: "matmul_workgroup: transposed A read as stored plainly",
    file: WORKGROUP,
    from: "(k0 + k) * params.lda + row0 + row",
    to: "(row0 + row) * params.lda + k0 + k",
    tests: MATMUL_TEST,
  },
  {
    name: "column_standardize: variance over rows − 1",
    file: "shaders/norm/column_standardize.wgsl",
    from: "column_sum(squares, lane) / f32(params.rows)",
    to: "column_sum(squares, lane) / (f32(params.rows) - 1.0)",
    tests: ["test/kernels/norm.test.ts"],
  },
  {
    name: "column_standardize_grad: mean of the cotangent missing",
    file: "shaders/norm/column_standardize_grad.wgsl",
    from: "d_y[at] - means.x - y[at] * means.y",
    to: "d_y[at] - y[at] * means.y",
    tests: ["test/kernels/norm.test.ts"],
  },
  {
    name: "elementwise_binary: column broadcast takes the row's entry",
    file: "shaders/elementwise/elementwise_binary.wgsl",
    from: "at = index / params.columns;",
    to: "at = index % params.columns;",
    tests: ["test/kernels/elementwise.test.ts"],
  },
  {
    name: "reduce_rows: last column left out",
    file: "shaders/reduce/reduce_rows.wgsl",
    from: "column < params.columns; column += WG",
    to: "column + 1u < params.columns; column += WG",
    tests: ["test/kernels/reduce.test.ts"],
  },
  {
    name: "folded grid: second row of workgroups repeats the first",
    file: "shaders/lib/index.wgsl",
    from: "return id.x + id.y * count.x;",
    to: "return id.x;",
    tests: ["test/kernels/reduce.test.ts"],
  },
  {
    name: "cross_correlation: half missing where symmetric",
    file: "shaders/ssl/cross_correlation.wgsl",
    from: "select(1.0, 0.5, SYMMETRIC)",
    to: "select(1.0, 1.0, SYMMETRIC)",
    tests: ["test/kernels/ssl.test.ts"],
  },
  {
    name: "frobenius_identity: weight ignored in the residual",
    file: "shaders/ssl/frobenius_identity.wgsl",
    from: "residual[at] = weighted;",
    to: "residual[at] = value;",
    tests: ["test/kernels/ssl.test.ts"],
  },
  {
    name: "sgd: momentum ignored",
    file: "shaders/optim/sgd.wgsl",
    from: "params.momentum * velocity[quad] + direction",
    to: "velocity[quad] + direction",
    tests: ["test/kernels/optim.test.ts"],
  },
  {
    name: "threefry: a rotation constant changed",
    file: "shaders/lib/random.wgsl",
    from: "13u), 15u), 26u), 6u);\n  x = x + vec2<u32>(key.y, k2 + 1u);",
    to: "13u), 15u), 25u), 6u);\n  x = x + vec2<u32>(key.y, k2 + 1u);",
    tests: ["test/kernels/random.test.ts"],
  },
  {
    name: "multiply_high: carry lost",
    file: "shaders/lib/random.wgsl",
    from: "+ (middle >> 16u) + (carry >> 16u);",
    to: "+ (middle >> 16u);",
    tests: ["test/kernels/random.test.ts"],
  },
  {
    name: "natural_log: a coefficient off in the fifth digit",
    file: "shaders/lib/math.wgsl",
    from: "3.3333331174e-1",
    to: "3.3334e-1",
    tests: ["test/kernels/math.test.ts"],
  },
  {
    name: "gather_crop: last crop position never drawn",
    file: "shaders/data/gather_crop.wgsl",
    from: "params.height - params.crop_height + 1u",
    to: "max(params.height - params.crop_height, 1u)",
    tests: ["test/kernels/data.test.ts"],
  },
  {
    name: "metrics_record: the ring does not wrap",
    file: "shaders/train/metrics_record.wgsl",
    from: "(records % params.capacity)",
    to: "min(records, params.capacity - 1u)",
    tests: ["test/kernels/train.test.ts"],
  },
  {
    name: "step_advance: a later bad step overwrites the first",
    file: "shaders/train/step_advance.wgsl",
    from: "!is_finite(loss[0]) && state.nonfinite_step == 0xffffffffu",
    to: "!is_finite(loss[0])",
    tests: ["test/kernels/train.test.ts"],
  },
  {
    name: "specialize: one iteration too many when unrolling",
    file: "src/kernels/specialize.ts",
    from: "value < to; value += step",
    to: "value <= to; value += step",
    tests: ["test/kernels/specialize.test.ts"],
  },
  {
    name: "specialize: unrolled lines all claim the body's first line",
    file: "src/kernels/specialize.ts",
    from: "body.map(({ text, origin }) =>",
    to: "body.map(({ text }, _, [{ origin }]) =>",
    tests: ["test/kernels/specialize.test.ts"],
  },
  {
    name: "architecture: kernels import train",
    file: "src/kernels/grid.ts",
    from: 'import type { Grid } from "./kernel.ts";',
    to: 'import type { Grid } from "./kernel.ts";\nimport "../train/stepState.ts";',
    tests: ["test/meta/architecture.test.ts"],
  },
  {
    name: "vjp: frobeniusIdentity ignores the upstream cotangent",
    file: "src/autodiff/vjp.ts",
    from: "scale(multiply(operand(node.outputs, 1), dLoss), 2)",
    to: "scale(operand(node.outputs, 1), 2)",
    tests: GRADIENT_TEST,
  },
  {
    name: "vjp: ReLU passes everything",
    file: "src/autodiff/vjp.ts",
    from: "scale(relu ? reluMask(dY, operand(node.outputs, 0)) : dY, alpha)",
    to: "scale(dY, relu ? alpha : alpha)",
    tests: GRADIENT_TEST,
  },
  {
    name: "vjp: cotangents of cross_correlation's views swapped",
    file: "src/autodiff/vjp.ts",
    from: "[needs[0] ? timesG(b) : undefined, needs[1] ? timesG(a) : undefined]",
    to: "[needs[0] ? timesG(a) : undefined, needs[1] ? timesG(b) : undefined]",
    tests: GRADIENT_TEST,
  },
  {
    name: "eigh_grad: the gap has the wrong sign",
    file: "shaders/linalg/eigh_grad.wgsl",
    from: "let difference = values[first + j] - values[first + i];",
    to: "let difference = values[first + i] - values[first + j];",
    tests: SYMMETRIC_TESTS,
  },
  {
    name: "eigh_grad: degenerate pairs are not left out",
    file: "shaders/linalg/eigh_grad.wgsl",
    from: "if (abs(difference) > params.gap * largest) {",
    to: "if (i != j) {",
    tests: SYMMETRIC_TESTS,
  },
  {
    name: "symmetric_power: the cut-off is not applied",
    file: "shaders/linalg/symmetric_power.wgsl",
    from: "if (value > threshold) {",
    to: "if (value > 0.0) {",
    tests: SYMMETRIC_TESTS,
  },
  {
    name: "symmetric_power_grad: the upper triangle of g alone",
    file: "shaders/linalg/symmetric_power_grad.wgsl",
    from: "m[at] = 0.5 * (g[at] + g[first * n + j * n + i]) * quotient;",
    to: "m[at] = g[at] * quotient;",
    tests: SYMMETRIC_TESTS,
  },
  {
    name: "eigenvectors: their cotangent is not projected onto them",
    file: "src/autodiff/linalgVjp.ts",
    from: "[matmul(vectors, dVectors, { transposeA: true })]",
    to: "[dVectors]",
    tests: ["test/autodiff/linalg.test.ts"],
  },
  {
    name: "singular values: the cotangent scales the rows of V",
    file: "src/autodiff/linalgVjp.ts",
    from: "const [v, u] = [operand(solved, 2), operand(solved, 3)];",
    to: "const [u, v] = [operand(solved, 2), operand(solved, 3)];",
    tests: ["test/autodiff/linalg.test.ts"],
  },
  {
    name: "conv register: the right edge of a row is not tested",
    file: "shaders/conv/conv2d_register.wgsl",
    from: "if (j < EDGE_LEFT || j >= COLUMNS - EDGE_RIGHT) {",
    to: "if (j < EDGE_LEFT) {",
    tests: CONV_TEST,
  },
  {
    name: "conv register: a stride wider than the kernel loads neighbouring columns",
    file: "shaders/conv/conv2d_register.wgsl",
    from: "let at = (x_row + (j / STEP) * STRIDE_W + j % STEP) * params.ci_quads + c;",
    to: "let at = (x_row + j) * params.ci_quads + c;",
    tests: CONV_TEST,
  },
  {
    name: "conv register: residual added after the ReLU",
    file: "shaders/conv/conv2d_register.wgsl",
    from: "value += addend[at];",
    to: "value = max(value, vec4<f32>(0.0)) + addend[at];",
    tests: CONV_TEST,
  },
  {
    name: "conv data gradient register: a filter not transposed",
    file: "shaders/conv/conv2d_data_grad_register.wgsl",
    from: "let f1 = vec4<f32>(g0.y, g1.y, g2.y, g3.y);",
    to: "let f1 = g1;",
    tests: CONV_TEST,
  },
  {
    name: "conv data gradient register: rows of dy below the last one are read",
    file: "shaders/conv/conv2d_data_grad_register.wgsl",
    from: "select(reach % params.stride_h, reach - lowest, reach > lowest)",
    to: "reach % params.stride_h",
    tests: CONV_TEST,
  },
  {
    name: "conv weight gradient register: pixels beyond the row count",
    file: "shaders/conv/conv2d_weight_grad_register.wgsl",
    from: "if (RAGGED) {",
    to: "if (false) {",
    tests: CONV_TEST,
  },
  {
    name: "conv weight gradient register: the last split runs on",
    file: "shaders/conv/conv2d_weight_grad_register.wgsl",
    from: "min(row_begin + params.split_rows, params.batch * params.out_h)",
    to: "row_begin + params.split_rows",
    tests: CONV_TEST,
  },
  {
    name: "conv split sum: the last split forgotten",
    file: "shaders/conv/conv2d_split_sum.wgsl",
    from: "for (var split = 1u; split < params.splits; split++) {",
    to: "for (var split = 1u; split + 1u < params.splits; split++) {",
    tests: CONV_TEST,
  },
  {
    name: "conv workgroup: padding read as the last column",
    file: "shaders/conv/conv2d_workgroup.wgsl",
    from: "ih < params.in_h && iw < params.in_w) {",
    to: "ih < params.in_h) {",
    tests: CONV_TEST,
  },
  {
    name: "conv workgroup: the second barrier of a pass left out",
    file: "shaders/conv/conv2d_workgroup.wgsl",
    from: "    workgroupBarrier();\n  }",
    to: "  }",
    tests: RACE_TEST,
  },
  {
    name: "conv data gradient workgroup: phases of rows and columns exchanged",
    file: "shaders/conv/conv2d_data_grad_workgroup.wgsl",
    from: "let kh_first = (phase_h + params.pad_h) % STRIDE_H;",
    to: "let kh_first = (phase_w + params.pad_h) % STRIDE_H;",
    tests: CONV_TEST,
  },
  {
    name: "conv weight gradient workgroup: splits overlap by a row",
    file: "shaders/conv/conv2d_weight_grad_workgroup.wgsl",
    from: "min(pixel_begin + params.split_rows * params.out_w,",
    to: "min(pixel_begin + (params.split_rows + 1u) * params.out_w,",
    tests: CONV_TEST,
  },
  {
    name: "conv: strides dropped from the data gradient's rule",
    file: "src/autodiff/convVjp.ts",
    from: "operand(dY.graph.add(conv2dDataGradOp, [dY, filter], { stride, padding, input }), 0)",
    to: "operand(dY.graph.add(conv2dDataGradOp, [dY, filter], { stride, padding: [stride[0] - stride[0], padding[1]], input }), 0)",
    tests: ["test/autodiff/conv.test.ts"],
  },
];

const root = fileURLToPath(new URL("..", import.meta.url));

/** A copy of what the tests need; node_modules is linked. */
function copyTree() {
  const copy = mkdtempSync(join(tmpdir(), "eigenstep-mutate-"));
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    const isWanted = entry.isDirectory()
      ? ["src", "shaders", "test", "tools", "demos", "bin"].includes(entry.name)
      : /\.(?:json|ts)$/.test(entry.name);
    if (isWanted) cpSync(join(root, entry.name), join(copy, entry.name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
  return copy;
}

/**
 * Runs test files in the copy.
 * @returns {{ passed: number, failed: { test: string, message: string }[], broken: string[] }} `broken`: files that did not load
 */
function runTests(copy, tests, { bail }) {
  const report = join(copy, "report.json");
  rmSync(report, { force: true });
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const options = ["--reporter=json", `--outputFile=${report}`, ...(bail ? ["--bail=1"] : [])];
  const run = spawnSync(process.execPath, [vitest, "run", "--root", copy, ...options, ...tests], {
    cwd: copy,
    encoding: "utf8",
    timeout: 300_000,
  });
  if (!existsSync(report))
    return { passed: 0, failed: [], broken: [`vitest wrote no report: ${(run.stderr || run.stdout).slice(-400)}`] };
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  return {
    passed: results.filter(({ status }) => status === "passed").length,
    failed: results
      .filter(({ status }) => status === "failed")
      .map(({ fullName, failureMessages }) => ({ test: fullName, message: failureMessages?.[0] ?? "" })),
    broken: testResults
      .filter(
        ({ status, assertionResults, message }) => status === "failed" && (message || assertionResults.length === 0),
      )
      .map(({ name, message }) => `${name}: ${message}`),
  };
}

/** True for a failure that speaks about behaviour: an assertion, or an error of the engine such as a shader that does not compile. */
const isVerdict = ({ message }) => /AssertionError|EngineError|out of bound|timed out/.test(message);

function judge(copy, mutant) {
  const path = join(copy, mutant.file);
  const original = readFileSync(path, "utf8");
  const occurrences = original.split(mutant.from).length - 1;
  if (occurrences !== 1) return { verdict: "STALE", detail: `the text occurs ${occurrences} times in ${mutant.file}` };
  try {
    writeFileSync(
      path,
      original.replace(mutant.from, () => mutant.to),
    );
    const { passed, failed, broken } = runTests(copy, mutant.tests, { bail: true });
    if (broken.length > 0 && failed.length === 0) return { verdict: "BROKEN", detail: broken[0].slice(0, 300) };
    const first = failed.find(isVerdict);
    if (first) return { verdict: "caught", detail: first.test };
    if (failed.length > 0)
      return { verdict: "BROKEN", detail: `${failed[0].test}: ${failed[0].message.slice(0, 300)}` };
    return { verdict: "SURVIVED", detail: `${passed} tests passed` };
  } finally {
    writeFileSync(path, original);
  }
}

const words = process.argv.slice(2);
const chosen = MUTANTS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
if (chosen.length === 0) {
  console.error(`mutate: no mutant's name contains ${words.join(" or ")}`);
  process.exit(1);
}
const copy = copyTree();
let exitCode = 0;
try {
  const started = Date.now();
  const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1).padStart(5)} s`;
  const control = runTests(copy, [...new Set(chosen.flatMap(({ tests }) => tests))], { bail: false });
  if (control.passed === 0 || control.failed.length > 0 || control.broken.length > 0) {
    console.error("mutate: the tests fail without any mutation; nothing can be concluded");
    for (const { test, message } of control.failed.slice(0, 5)) console.error(`  ${test}: ${message.split("\n")[0]}`);
    for (const message of control.broken.slice(0, 5)) console.error(`  ${message.slice(0, 400)}`);
    exitCode = 1;
  } else {
    console.log(`unmutated   ${seconds(started)}  ${control.passed} tests pass`);
    for (const mutant of chosen) {
      const since = Date.now();
      const { verdict, detail } = judge(copy, mutant);
      if (verdict !== "caught") exitCode = 1;
      console.log(`${verdict.padEnd(10)}  ${seconds(since)}  ${mutant.name}\n${" ".repeat(21)}${detail}`);
    }
    console.log(
      `${chosen.length} mutants, ${seconds(started).trim()}: ${exitCode === 0 ? "all caught" : "NOT all caught"}`,
    );
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
process.exit(exitCode);
