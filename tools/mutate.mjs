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
const SUBGROUP = "shaders/matmul/matmul_subgroup.wgsl";
const WORKGROUP = "shaders/matmul/matmul_workgroup.wgsl";
const BLOCK_TEST = ["test/kernels/blockJacobi.test.ts"];
const EIGH_STAGES_TEST = ["test/kernels/eighStages.test.ts"];
const EIGH_TEST = ["test/kernels/eigh.test.ts"];
const MATMUL_TEST = ["test/kernels/matmul.test.ts"];
const RACE_TEST = ["test/meta/races.test.ts"];
const SYMMETRIC_TESTS = ["test/kernels/symmetric.test.ts"];
const GRADIENT_TEST = ["test/autodiff/grad.test.ts"];
const CONV_TEST = ["test/kernels/conv.test.ts"];

const HLTM_TEST = ["test/kernels/hltm.test.ts"];
const LOCAL_TEST = ["test/kernels/local.test.ts"];
const BATCH_CONTRAST_TEST = ["test/kernels/batchContrast.test.ts"];

/** @type {Mutant[]} */
const MUTANTS = [
  {
    name: "hltm: a positive draws a root of its own",
    file: "shaders/hltm/tree_edges.wgsl",
    from: "source = select(view, 0u, view == 1u);",
    to: "source = view;",
    tests: HLTM_TEST,
  },
  {
    name: "hltm: the same two random words for all digits",
    file: "shaders/hltm/tree_edges.wgsl",
    from: "vec2<u32>(state.step, counter + pair)",
    to: "vec2<u32>(state.step, counter)",
    tests: HLTM_TEST,
  },
  {
    name: "hltm: values of a node's parent exchanged",
    file: "shaders/hltm/tree_values.wgsl",
    from: "(above & vec2<u32>(map.y)) | (~above & vec2<u32>(map.x))",
    to: "(above & vec2<u32>(map.x)) | (~above & vec2<u32>(map.y))",
    tests: HLTM_TEST,
  },
  {
    name: "hltm: moments of earlier dispatches forgotten",
    file: "shaders/hltm/latent_moments.wgsl",
    from: "total += before;",
    to: "total += 0.0 * before;",
    tests: HLTM_TEST,
  },
  {
    name: "hltm: the root's mean not subtracted",
    file: "shaders/hltm/root_contrast.wgsl",
    from: " - f32(ones) / rows) / rows",
    to: ") / rows",
    tests: HLTM_TEST,
  },
  {
    name: "hltm: the bias counted among an operator's weights",
    file: "shaders/hltm/operator_norm.wgsl",
    from: "for (var i = 0u; i < params.fan_in; i++)",
    to: "for (var i = 0u; i <= params.fan_in; i++)",
    tests: HLTM_TEST,
  },
  {
    name: "local: bias taken from the last weight",
    file: "shaders/local/locally_connected.wgsl",
    from: "bias[o] = w[w_base + o * stride + params.fan_in];",
    to: "bias[o] = w[w_base + o * stride + params.fan_in - 1u];",
    tests: LOCAL_TEST,
  },
  {
    name: "local: sums of earlier chunks forgotten",
    file: "shaders/local/locally_connected.wgsl",
    from: "sum = y[y_base + o];",
    to: "sum = 0.0 * y[y_base + o];",
    tests: LOCAL_TEST,
  },
  {
    name: "local: cotangent passes a closed ReLU",
    file: "shaders/local/locally_connected_grad.wgsl",
    from: "select(0.0, sum, value > 0.0)",
    to: "sum",
    tests: LOCAL_TEST,
  },
  {
    name: "local: negative inputs counted in the weights' cotangent",
    file: "shaders/local/locally_connected_grad.wgsl",
    from: "value = max(value, 0.0);",
    to: "value = max(value, -1e9);",
    tests: LOCAL_TEST,
  },
  {
    name: "batch contrast: sigmoid of the wrong side",
    file: "shaders/ssl/batch_contrast.wgsl",
    from: "-select(larger, smaller, x > 0.0)",
    to: "-select(larger, smaller, x < 0.0)",
    tests: BATCH_CONTRAST_TEST,
  },
  {
    name: "batch contrast: positive pushed away",
    file: "shaders/ssl/batch_contrast_grad.wgsl",
    from: "factor * (p - a)",
    to: "factor * (a - p)",
    tests: BATCH_CONTRAST_TEST,
  },
  {
    name: "connections: inner products of the inputs transposed",
    file: "shaders/dual/connection_gram.wgsl",
    from: "let i = (index / order) % params.samples;",
    to: "let i = (index / order) / params.outputs;",
    tests: ["test/kernels/connectionGram.test.ts"],
  },
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
    from: "= basis[basis_base + at * row_quads + row / 4u][row % 4u];",
    to: "= basis[basis_base + row * row_quads + at / 4u][at % 4u];",
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
    from: "for (var turn = params.k & 3u; turn > 0u; turn--)",
    to: "for (var turn = params.k & 3u; turn > 1u; turn--)",
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
    name: "matmul_subgroup: two lanes load one row of B",
    file: SUBGROUP,
    from: "let part = lane & 3u;",
    to: "let part = lane & 2u;",
    tests: MATMUL_TEST,
  },
  {
    name: "matmul_subgroup: one row too many stored",
    file: SUBGROUP,
    from: "if (row0 + r < params.m && quad0 + q < n_quads) {",
    to: "if (row0 + r <= params.m && quad0 + q < n_quads) {",
    tests: MATMUL_TEST,
  },
  {
    name: "matmul_subgroup: K advances by a quad whatever the steps",
    file: SUBGROUP,
    from: "k_quad += STEPS;",
    to: "k_quad += 1u;",
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
    from: "min(state.nonfinite_step, state.step)",
    to: "state.step",
    tests: ["test/kernels/train.test.ts"],
  },
  {
    name: "note_nonfinite: bad parameters are noted for the step that made them",
    file: "shaders/train/note_nonfinite.wgsl",
    from: "select(0u, 1u, is_parameter)",
    to: "0u",
    tests: ["test/kernels/train.test.ts"],
  },
  {
    name: "detectSteps: starts are compared in magnitude",
    file: "src/spectrum/stepDetection.ts",
    from: "(curves[j]?.[0] ?? 0)",
    to: "Math.abs(curves[j]?.[0] ?? 0)",
    tests: ["test/spectrum/stepDetection.test.ts"],
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
    name: "conv batched: the right edge of a row is not tested",
    file: "shaders/lib/conv2d_batched.wgsl",
    from: "if (j < EDGE_LEFT || j >= COLUMNS - EDGE_RIGHT) {",
    to: "if (j < EDGE_LEFT) {",
    tests: CONV_TEST,
  },
  {
    name: "conv batched: the last turn left out",
    file: "shaders/lib/conv2d_batched.wgsl",
    from: "for (var turn = turns; turn > 0u; turn--) {",
    to: "for (var turn = turns; turn > 1u; turn--) {",
    tests: CONV_TEST,
  },
  {
    name: "conv batched: without subgroups the third row of a filter block is the second",
    file: "shaders/conv/conv2d_batched.wgsl",
    from: "filter_taps[at + 2u * stride]",
    to: "filter_taps[at + stride]",
    tests: CONV_TEST,
  },
  {
    name: "conv batched subgroup: two lanes load one row",
    file: "shaders/conv/conv2d_batched_subgroup.wgsl",
    from: "(lane & 3u) * stride",
    to: "(lane & 2u) * stride",
    tests: CONV_TEST,
  },
  {
    name: "conv data gradient batched: the addend replaces the sum",
    file: "shaders/lib/conv2d_data_grad_batched.wgsl",
    from: "value += addend[at];",
    to: "value = addend[at];",
    tests: CONV_TEST,
  },
  {
    name: "conv data gradient register: the addend not added",
    file: "shaders/conv/conv2d_data_grad_register.wgsl",
    from: "value += addend[at];",
    to: "value += 0.0 * addend[at];",
    tests: CONV_TEST,
  },
  {
    name: "conv data gradient batched: rows of dy below the last one are read",
    file: "shaders/lib/conv2d_data_grad_batched.wgsl",
    from: "select(reach % params.stride_h, reach - lowest, reach > lowest)",
    to: "reach % params.stride_h",
    tests: CONV_TEST,
  },
  {
    name: "conv data gradient batched: one tap too few with strides",
    file: "shaders/lib/conv2d_data_grad_batched.wgsl",
    from: "(max(kh_end, kh_begin) - kh_begin + stride_h - 1u) / stride_h",
    to: "(max(kh_end, kh_begin) - kh_begin) / stride_h",
    tests: CONV_TEST,
  },
  {
    name: "conv data gradient batched: a filter not transposed",
    file: "shaders/conv/conv2d_data_grad_batched.wgsl",
    from: "filter_taps[at + stride],",
    to: "filter_taps[at + 1u],",
    tests: CONV_TEST,
  },
  {
    name: "conv data gradient batched subgroup: two lanes load one row",
    file: "shaders/conv/conv2d_data_grad_batched_subgroup.wgsl",
    from: "(lane & 3u) * stride",
    to: "(lane & 2u) * stride",
    tests: CONV_TEST,
  },
  {
    name: "conv weight gradient batched: rows beyond a part's last one count",
    file: "shaders/lib/conv2d_weight_grad_batched.wgsl",
    from: "let is_row = ih < in_h && row + r < row_end;",
    to: "let is_row = ih < in_h;",
    tests: CONV_TEST,
  },
  {
    name: "conv weight gradient batched: pixels beyond the row count",
    file: "shaders/conv/conv2d_weight_grad_batched.wgsl",
    from: "return kept(value, column < params.out_w);",
    to: "return value;",
    tests: CONV_TEST,
  },
  {
    name: "conv weight gradient batched subgroup: lanes load the next pixels",
    file: "shaders/conv/conv2d_weight_grad_batched_subgroup.wgsl",
    from: "column + (lane & 3u)",
    to: "column + (lane & 3u) + 1u",
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
    name: "conv data gradient: one column fewer is tested at the left edge",
    file: "src/ops/convCalls.ts",
    from: "EDGE_LEFT: clamp(kernel[1] - first),",
    to: "EDGE_LEFT: clamp(kernel[1] - first - 1),",
    tests: CONV_TEST,
  },
  {
    name: "svd: the last round of every sweep left out",
    file: "shaders/linalg/svd_jacobi.wgsl",
    from: "round + 1u < players",
    to: "round + 2u < players",
    tests: ["test/kernels/svd.test.ts"],
  },
  {
    name: "svd: sign of a rotation flipped in the accumulated one",
    file: "shaders/linalg/svd_jacobi.wgsl",
    from: "p[i] -= s * (v + tau * u);",
    to: "p[i] += s * (v + tau * u);",
    tests: ["test/kernels/svd.test.ts"],
  },
  {
    name: "svd: a tolerance that is absolute, not relative",
    file: "shaders/linalg/svd_jacobi.wgsl",
    from: "abs(uv) / (sqrt(uu) * sqrt(vv))",
    to: "abs(uv)",
    tests: ["test/kernels/svd.test.ts"],
  },
  {
    name: "svd: columns in ascending order",
    file: "shaders/linalg/svd_order.wgsl",
    from: "rival > mine ||",
    to: "rival < mine ||",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "svd: scale off by one",
    file: "shaders/linalg/svd_order.wgsl",
    from: "(254u - exponent) << 23u",
    to: "(253u - exponent) << 23u",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "svd: maxima over the first row of a part only",
    file: "shaders/linalg/svd_range.wgsl",
    from: "let end = min(start + params.part_rows, params.rows);",
    to: "let end = min(start + 1u, params.rows);",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "svd: padding not zeroed",
    file: "shaders/linalg/svd_prepare.wgsl",
    from: "first + i < params.columns && shrink",
    to: "shrink",
    tests: ["test/kernels/svdLarge.test.ts"],
  },
  {
    name: "svd: values not sorted",
    file: "shaders/linalg/svd_values.wgsl",
    from: "rival > norm ||",
    to: "rival < norm ||",
    tests: ["test/kernels/svd.test.ts"],
  },
  {
    name: "svd: NaN not flagged",
    file: "shaders/linalg/svd_values.wgsl",
    from: " | order[group.x * params.order_words + 2u];",
    to: ";",
    tests: ["test/kernels/svd.test.ts"],
  },
  {
    name: "svd: vectors left in the order of sorted columns",
    file: "shaders/linalg/svd_vectors.wgsl",
    from: "base + end * count + place",
    to: "base + i * count + place",
    tests: ["test/kernels/svd.test.ts"],
  },
  {
    name: "svd: Gram matrix without its last columns",
    file: "shaders/linalg/svd_gram.wgsl",
    from: "k < params.quads; k++",
    to: "k + 9u < params.quads; k++",
    tests: ["test/kernels/svdLarge.test.ts"],
  },
  {
    name: "qr: first row of the strips' rest left out",
    file: "shaders/lib/householder.wgsl",
    from: "for (var row = first + 4u + lane / GROUPS; row < rows; row += STRIPES) {\n    let v",
    to: "for (var row = first + 5u + lane / GROUPS; row < rows; row += STRIPES) {\n    let v",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "qr: T without what earlier reflections contribute",
    file: "shaders/lib/householder.wgsl",
    from: "-tau * (t * earlier)",
    to: "0.0 * (t * earlier)",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "qr: triangle's lower part kept",
    file: "shaders/linalg/qr_reduce.wgsl",
    from: "columns >= vec4<u32>(row)",
    to: "columns >= vec4<u32>(0u)",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "qr: T's blocks above the diagonal left out",
    file: "shaders/linalg/qr_panel.wgsl",
    from: "if (lane < 4u) {\n      var",
    to: "if (lane < 4u && lane == strip) {\n      var",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "qr: a part of the rows left out of Yᵀ A",
    file: "shaders/linalg/qr_project.wgsl",
    from: "for (var row = begin; row < end; row++)",
    to: "for (var row = begin; row + 1u < end; row++)",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "qr: T not transposed for the matrix",
    file: "shaders/linalg/qr_update.wgsl",
    from: "sum += w[other] * t_block;",
    to: "sum += w[other] * transpose(t_block);",
    tests: ["test/kernels/qr.test.ts"],
  },
  {
    name: "qr: T transposed for a factor",
    file: "shaders/linalg/qr_update.wgsl",
    from: "sum += w[other] * transpose(t_block);",
    to: "sum += w[other] * t_block;",
    tests: ["test/kernels/svd.test.ts"],
  },
  {
    name: "epoch_indices: both halves of the Feistel network keyed by one round",
    file: "shaders/augment/epoch_indices.wgsl",
    from: "high + ((round + 1u) << 16u)",
    to: "high + (round << 16u)",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "epoch_indices: cycle walking may end at count",
    file: "shaders/augment/epoch_indices.wgsl",
    from: "if (at < params.count) {",
    to: "if (at <= params.count) {",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "augment_draw: both views draw the same",
    file: "shaders/augment/augment_draw.wgsl",
    from: "2u * state.step + view);",
    to: "2u * state.step);",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "augment_draw: a crop never touches the last column",
    file: "shaders/augment/augment_draw.wgsl",
    from: "params.width - u32(size.y) + 1u);",
    to: "params.width - u32(size.y));",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "augment_draw: strength above 1 gives negative factors",
    file: "shaders/augment/augment_draw.wgsl",
    from: "let low = max(0.0, 1.0 - strength);",
    to: "let low = 1.0 - strength;",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "augment_image: aligned corners",
    file: "shaders/augment/augment_image.wgsl",
    from: "(place + inside) * scale - 0.5;",
    to: "(place + inside) * scale;",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "augment_image: taps leave the crop",
    file: "shaders/augment/augment_image.wgsl",
    from: "select(image, vec2<i32>(crop.size), INTEGER) - vec2<i32>(1);",
    to: "image - vec2<i32>(1);",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "augment_image: contrast about the mean of the image before other operations",
    file: "shaders/augment/augment_image.wgsl",
    from: "sum += luma(color);",
    to: "sum += luma(cropped(at / params.out_width, at % params.out_width, crop));",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "color: hue turned the other way",
    file: "shaders/lib/color.wgsl",
    from: "(hue + 6.0 * shift)",
    to: "(hue - 6.0 * shift)",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "gaussian_blur: the edge pixel repeated",
    file: "shaders/augment/gaussian_blur.wgsl",
    from: "let before = abs(place - k);",
    to: "let before = max(0, place - k);",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "gaussian_blur: never finished",
    file: "shaders/augment/gaussian_blur.wgsl",
    from: "color = vec4<f32>((solarized - mean) * inverse_std, 0.0);",
    to: "color = vec4<f32>(solarized, 0.0);",
    tests: ["test/augment"],
  },
  {
    name: "segment_norms: gaps counted",
    file: "shaders/optim/segment_norms.wgsl",
    from: "< vec4<u32>(chunk.y);",
    to: "< vec4<u32>(chunk.y + 3u);",
    tests: ["test/kernels/optimSegments.test.ts", "test/optim"],
  },
  {
    name: "optimizer_factors: Adam counts from 0",
    file: "shaders/optim/optimizer_factors.wgsl",
    from: "let count = f32(state.step + 1u);",
    to: "let count = f32(state.step + 2u);",
    tests: ["test/kernels/optimSegments.test.ts", "test/optim"],
  },
  {
    name: "optimizer_factors: LARS without the decay in its ratio",
    file: "shaders/optim/optimizer_factors.wgsl",
    from: "(norms.y + segment.weight_decay * norms.x + 1e-8)",
    to: "(norms.y + 1e-8)",
    tests: ["test/kernels/optimSegments.test.ts", "test/optim"],
  },
  {
    name: "optimizer_factors: only the first chunk of a segment counts",
    file: "shaders/optim/optimizer_factors.wgsl",
    from: "chunk < segment.chunk_count;",
    to: "chunk < min(1u, segment.chunk_count);",
    tests: ["test/kernels/optimSegments.test.ts", "test/optim"],
  },
  {
    name: "momentum_update: Nesterov's look-ahead dropped",
    file: "shaders/optim/momentum_update.wgsl",
    from: "direction = direction + params.momentum * v;",
    to: "direction = v;",
    tests: ["test/kernels/optimSegments.test.ts", "test/optim"],
  },
  {
    name: "momentum_update: one factor for all segments",
    file: "shaders/optim/momentum_update.wgsl",
    from: "factors[blocks[quad / 16u]]",
    to: "factors[0]",
    tests: ["test/kernels/optimSegments.test.ts", "test/optim"],
  },
  {
    name: "adam: decay of AdamW scaled by the gradient",
    file: "shaders/optim/adam.wgsl",
    from: "p = p - factor.y * p;",
    to: "p = p - factor.y * p * direction;",
    tests: ["test/kernels/optimSegments.test.ts", "test/optim"],
  },
  {
    name: "adam: second moment of the first",
    file: "shaders/optim/adam.wgsl",
    from: "params.complement2 * direction * direction;",
    to: "params.complement2 * m * m;",
    tests: ["test/kernels/optimSegments.test.ts", "test/optim"],
  },
  {
    name: "lars: the rate outside the velocity in google's variant",
    file: "src/optim/lars.ts",
    from: 'isRateInside: variant === "google"',
    to: "isRateInside: false",
    tests: ["test/optim"],
  },
  {
    name: "stl10: rows and columns exchanged",
    file: "src/data/stl10.ts",
    from: "  rowStride: 1,\n  columnStride: SIDE,",
    to: "  rowStride: SIDE,\n  columnStride: 1,",
    tests: ["test/data/stl10.test.ts"],
  },
  {
    name: "batch_norm: the difference of block means left out of the squares",
    file: "shaders/norm/batch_norm_stats.wgsl",
    from: " + weight * difference * difference;",
    to: ";",
    tests: ["test/kernels/batchNorm.test.ts"],
  },
  {
    name: "batch_norm: E[x²] − E[x]²",
    file: "shaders/norm/batch_norm_apply.wgsl",
    from: "variance = total.squares / f32(params.rows - 1u);",
    to: "variance = ((total.squares + total.sum * mean) - total.sum * mean) / f32(params.rows - 1u);",
    tests: ["test/kernels/batchNorm.test.ts"],
  },
  {
    name: "batch_norm: the last part counted as full",
    file: "shaders/norm/batch_norm_apply.wgsl",
    from: "let count = min(params.part_rows, params.rows - start);",
    to: "let count = params.part_rows;",
    tests: ["test/kernels/batchNorm.test.ts"],
  },
  {
    name: "batch_norm: barrier before the tree of moments dropped",
    file: "shaders/lib/moments.wgsl",
    from: "  lane_squares[lane] = own.squares;\n  workgroupBarrier();",
    to: "  lane_squares[lane] = own.squares;",
    tests: RACE_TEST,
  },
  {
    name: "batch_norm gradient: mask not applied to the sums",
    file: "shaders/norm/batch_norm_grad_reduce.wgsl",
    from: "sum += d;",
    to: "sum += d_y[at];",
    tests: ["test/kernels/batchNorm.test.ts"],
  },
  {
    name: "batch_norm gradient: the variance's term without its weight",
    file: "shaders/norm/batch_norm_grad_apply.wgsl",
    from: "let slope = params.variance_weight * inverse_std * products;",
    to: "let slope = inverse_std * products / f32(params.rows + 1u);",
    tests: ["test/kernels/batchNorm.test.ts"],
  },
  {
    name: "batch_norm gradient: addend gets the unmasked cotangent",
    file: "src/autodiff/normVjp.ts",
    from: "[relu ? masked : dY]",
    to: "[dY]",
    tests: ["test/nn/normGrad.test.ts"],
  },
  {
    name: "layer_norm: variance about the first mean of four",
    file: "shaders/norm/layer_norm.wgsl",
    from: "return (sum.x + sum.y) + (sum.z + sum.w);",
    to: "return 4.0 * sum.x;",
    tests: ["test/kernels/layerNorm.test.ts"],
  },
  {
    name: "layer_norm gradient: the mean's term dropped",
    file: "shaders/norm/layer_norm_grad.wgsl",
    from: " - mean_g - normalized",
    to: " - normalized",
    tests: ["test/kernels/layerNorm.test.ts"],
  },
  {
    name: "max_pool: ties to the last",
    file: "shaders/pool/max_pool.wgsl",
    from: "let is_larger = value > largest;",
    to: "let is_larger = value >= largest;",
    tests: ["test/kernels/pool.test.ts"],
  },
  {
    name: "max_pool gradient: one window too few",
    file: "shaders/pool/max_pool_grad.wgsl",
    from: "let i_end = min(down / params.stride_y + 1u, params.out_height);",
    to: "let i_end = min(down / params.stride_y, params.out_height);",
    tests: ["test/kernels/pool.test.ts"],
  },
  {
    name: "average_pool: divides by what lies inside",
    file: "shaders/pool/average_pool.wgsl",
    from: "y[item] = params.scale * sum;",
    to: "y[item] = sum / f32((p_end - p_first) * (q_end - q_first));",
    tests: ["test/kernels/pool.test.ts"],
  },
  {
    name: "average_pool gradient: windows from the first",
    file: "shaders/pool/average_pool_grad.wgsl",
    from: "for (var j = j_first; j < j_end; j++) {",
    to: "for (var j = 0u; j < j_end; j++) {",
    tests: ["test/kernels/pool.test.ts"],
  },
  {
    name: "gelu: derivative without the density",
    file: "shaders/elementwise/gelu.wgsl",
    from: "cdf + value * pdf",
    to: "cdf",
    tests: ["test/kernels/gelu.test.ts"],
  },
  {
    name: "gelu: last coefficient of erf's polynomial off by one part in 2²⁰",
    file: "shaders/lib/math.wgsl",
    from: "p = p * z + 1.128379165726710;",
    to: "p = p * z + 1.1283802;",
    tests: ["test/kernels/gelu.test.ts"],
  },
  {
    name: "moving_average: decay and increment exchanged",
    file: "shaders/elementwise/moving_average.wgsl",
    from: "(1.0 - increment) * y[quad] + increment * x[quad]",
    to: "increment * y[quad] + (1.0 - increment) * x[quad]",
    tests: ["test/nn/state.test.ts"],
  },
  {
    name: "moving_average: a quarter of the cosine instead of a half",
    file: "shaders/elementwise/moving_average.wgsl",
    from: "cos_sin_turns(0.5 * done)",
    to: "cos_sin_turns(0.25 * done)",
    tests: ["test/nn/state.test.ts"],
  },
  {
    name: "nn: filters written as IOHW",
    file: "src/nn/weights.ts",
    from: "((o * channels + i) * height + h) * width + w",
    to: "((i * out + o) * height + h) * width + w",
    tests: ["test/nn/state.test.ts"],
  },
  {
    name: "nn: a bottleneck's stride in its first convolution",
    file: "src/nn/resnet.ts",
    from: 'conv(scope, "conv2", narrow, { out: width, kernel: 3, stride, init })',
    to: 'conv(scope, "conv2", narrow, { out: width, kernel: 3, init })',
    tests: ["test/nn/models.test.ts"],
  },
  {
    name: "l2_normalize: padding left as it was",
    file: "shaders/ssl/l2_normalize.wgsl",
    from: "column < params.stride; column += LANES",
    to: "column < params.columns; column += LANES",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "l2_normalize: epsilon inside the root added outside",
    file: "shaders/ssl/l2_normalize.wgsl",
    from: "1.0 / sqrt(total + params.epsilon)",
    to: "1.0 / (sqrt(total) + params.epsilon)",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "l2_normalize_grad: no projection",
    file: "shaders/ssl/l2_normalize_grad.wgsl",
    from: "scale * (d_y[base + column] - along * y[base + column])",
    to: "scale * d_y[base + column]",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "l2_normalize_grad: the mode is forgotten",
    file: "shaders/ssl/l2_normalize_grad.wgsl",
    from: "stats[2u * row + 1u] * product",
    to: "product",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "similarity_rows: the last maximum is not carried over",
    file: "shaders/ssl/similarity_rows.wgsl",
    from: "state[r].y * exponential(state[r].x - highest)",
    to: "state[r].y",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "similarity_rows: the partner counts as a negative",
    file: "shaders/ssl/similarity_rows.wgsl",
    from: "(columns_pairs != pair_of(vec4<u32>(row), params.pairs))",
    to: "(clamped != vec4<u32>(row))",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "similarity_rows: ln of 1 + x formed",
    file: "shaders/ssl/similarity_rows.wgsl",
    from: "loss = log_one_plus(odds);",
    to: "loss = natural_log(1.0 + odds);",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "similarity_rows: sums of one turn leak into the next",
    file: "shaders/ssl/similarity_rows.wgsl",
    from: "      similarity[r] = vec4<f32>(0.0);\n",
    to: "",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "similarity_weights: only the row counts as an anchor",
    file: "shaders/ssl/similarity_weights.wgsl",
    from: "negative += exponential(s - stats[2u * other]);",
    to: "negative += 0.0;",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "similarity_weights: beta without its factor of the negatives",
    file: "shaders/ssl/similarity_weights.wgsl",
    from: "negative = params.scale * c * negative;",
    to: "negative = params.scale * negative;",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "matrix_penalty: terms counted by every part",
    file: "shaders/ssl/matrix_penalty.wgsl",
    from: "if (group.x == 0u) {",
    to: "if (group.x < 2u) {",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "matrix_penalty: the diagonal of the first matrix only",
    file: "shaders/ssl/matrix_penalty.wgsl",
    from: "let inside = at % size;",
    to: "let inside = at;",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "barlow_columns: the shortfall without epsilon",
    file: "shaders/ssl/barlow_columns.wgsl",
    from: "(distance + params.epsilon * dot(scale, scale))",
    to: "distance",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "barlow_columns: the variance with rows - 1",
    file: "shaders/ssl/barlow_columns.wgsl",
    from: ".xy / f32(params.rows) + vec2",
    to: ".xy / f32(params.rows - 1u) + vec2",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "vicreg_columns: the variance with rows",
    file: "shaders/ssl/vicreg_columns.wgsl",
    from: "let degrees = f32(params.rows - 1u);",
    to: "let degrees = f32(params.rows);",
    tests: ["test/kernels/sslMatrices.test.ts", "test/ssl/golden.test.ts"],
  },
  {
    name: "vicreg_columns: a slope beyond the hinge",
    file: "shaders/ssl/vicreg_columns.wgsl",
    from: "spread < vec2<f32>(1.0)",
    to: "spread < vec2<f32>(1e9)",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "vicreg_pull: both views pulled the same way",
    file: "shaders/ssl/vicreg_pull.wgsl",
    from: "centered[params.count + at] - pull;",
    to: "centered[params.count + at] + pull;",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "vicreg_pull: the second view with the slopes of the first",
    file: "shaders/ssl/vicreg_pull.wgsl",
    from: "slope[params.columns + column]",
    to: "slope[column]",
    tests: ["test/kernels/sslMatrices.test.ts"],
  },
  {
    name: "distance_contrast: the exponents overflow",
    file: "shaders/ssl/distance_contrast.wgsl",
    from: "highest = max(highest, x);",
    to: "highest = 0.0;",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "distance_contrast: no margin",
    file: "shaders/ssl/distance_contrast.wgsl",
    from: "near - 0.5 * far + params.margin",
    to: "near - 0.5 * far",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "distance_contrast_grad: the anchor does not feel its negatives",
    file: "shaders/ssl/distance_contrast_grad.wgsl",
    from: "sum += far;",
    to: "sum += 0.0;",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "distance_contrast_grad: negatives pulled instead of pushed",
    file: "shaders/ssl/distance_contrast_grad.wgsl",
    from: "d_negatives[other] = -far;",
    to: "d_negatives[other] = far;",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "cosine_rows: 1 - cos by subtraction",
    file: "shaders/ssl/cosine_rows.wgsl",
    from: "select(1.0 - totals.y, 0.5 * totals.x, all(is_normal))",
    to: "1.0 - totals.y",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "cosine_rows: no shift",
    file: "shaders/ssl/cosine_rows.wgsl",
    from: "((row + params.shift) % params.rows)",
    to: "row",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "cosine_rows_grad: no projection for z",
    file: "shaders/ssl/cosine_rows_grad.wgsl",
    from: "(unit.x - stat.w * unit.y)",
    to: "unit.x",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "cosine_rows_grad: z written to the row of p",
    file: "shaders/ssl/cosine_rows_grad.wgsl",
    from: "d_z[other] =",
    to: "d_z[at] =",
    tests: ["test/kernels/sslRows.test.ts"],
  },
  {
    name: "log_one_plus: 1 + x formed for small x",
    file: "shaders/lib/log_one_plus.wgsl",
    from: "if (x > 0.41421356) {",
    to: "if (x > 1e-9) {",
    tests: ["test/kernels/sslMath.test.ts"],
  },
  {
    name: "stopGradient: views of it forget",
    file: "src/autodiff/graph.ts",
    from: "isDetached: isDetached || (root?.isDetached ?? false),",
    to: "isDetached,",
    tests: ["test/ssl/gradients.test.ts"],
  },
  {
    name: "vicreg: covariance gradient halved",
    file: "src/autodiff/sslVjp.ts",
    from: "scale: 4 / (rows - 1)",
    to: "scale: 2 / (rows - 1)",
    tests: ["test/ssl/gradients.test.ts"],
  },
  {
    name: "NT-Xent: mean over one view",
    file: "src/ssl/ntXent.ts",
    from: "mean: 1 / (2 * pairs)",
    to: "mean: 1 / pairs",
    tests: ["test/ssl/golden.test.ts"],
  },
  {
    name: "SimSiam: derivative through the targets",
    file: "src/ssl/simSiam.ts",
    from: "stopGradient(stackViews(za, zb))",
    to: "stackViews(za, zb)",
    tests: ["test/ssl/gradients.test.ts"],
  },
  {
    name: "pack_pixels: green and blue exchanged",
    file: "shaders/augment/pack_pixels.wgsl",
    from: "(green << 8u) | (blue << 16u)",
    to: "(blue << 8u) | (green << 16u)",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "augment_image: packed images read a byte late",
    file: "shaders/augment/augment_image.wgsl",
    from: "vec3<u32>(word & 0xffu, (word >> 8u) & 0xffu, (word >> 16u) & 0xffu)",
    to: "vec3<u32>((word >> 8u) & 0xffu, (word >> 16u) & 0xffu, word >> 24u)",
    tests: ["test/kernels/augment.test.ts"],
  },
  {
    name: "detectSteps: steps counted from 0",
    file: "src/spectrum/stepDetection.ts",
    from: "const times = Array.from(steps, (step) => step + 1);",
    to: "const times = Array.from(steps, (step) => step);",
    tests: ["test/spectrum/stepDetection.test.ts"],
  },
  {
    name: "detectSteps: the last tenth of the records",
    file: "src/spectrum/stepDetection.ts",
    from: "time > (1 - rule.plateauShare) * end",
    to: "r >= (1 - rule.plateauShare) * times.length",
    tests: ["test/spectrum/stepDetection.test.ts"],
  },
  {
    name: "detectSteps: thresholds not bounded by the reference",
    file: "src/spectrum/stepDetection.ts",
    from: "Math.min(Math.max(p, rule.learnedShare * reference), reference)",
    to: "Math.max(p, rule.learnedShare * reference)",
    tests: ["test/spectrum/stepDetection.test.ts"],
  },
  {
    name: "lossPeaks: prominence above the deeper valley",
    file: "src/spectrum/lossPeaks.ts",
    from: "height - Math.max(valley(1), valley(-1))",
    to: "height - Math.min(valley(1), valley(-1))",
    tests: ["test/spectrum/stepDetection.test.ts"],
  },
  {
    name: "bimodality: uncorrected skewness",
    file: "src/spectrum/bimodality.ts",
    from: " * (Math.sqrt(n * (n - 1)) / (n - 2))",
    to: "",
    tests: ["test/spectrum/shape.test.ts"],
  },
  {
    name: "jacobi: what a sweep added to the diagonal is lost",
    file: "shaders/linalg/jacobi_eigh.wgsl",
    from: "diagonal[at] += shift[at];",
    to: "",
    tests: EIGH_TEST,
  },
  {
    name: "jacobi: off-norm of one triangle",
    file: "shaders/linalg/jacobi_eigh.wgsl",
    from: "let off = 2.0 * squares.x;",
    to: "let off = squares.x;",
    tests: EIGH_TEST,
  },
  {
    name: "jacobi: the order asked for is ignored",
    file: "shaders/linalg/jacobi_eigh.wgsl",
    from: "rank = n - 1u - rank;",
    to: "",
    tests: EIGH_TEST,
  },
  {
    name: "block_pair_solve: identity left out of a column of Q",
    file: "shaders/linalg/block_pair_solve.wgsl",
    from: "let qy = y + select(0.0, 1.0, q == k);",
    to: "let qy = y;",
    tests: BLOCK_TEST,
  },
  {
    name: "block_pair_solve: counters do not accumulate",
    file: "shaders/linalg/block_pair_solve.wgsl",
    from: "counters[2u * pair_index] += count;",
    to: "counters[2u * pair_index] = count;",
    tests: BLOCK_TEST,
  },
  {
    name: "block_pair_solve: the diagonal's shift is not written back",
    file: "shaders/linalg/block_pair_solve.wgsl",
    from: "= diagonal[r] + shift[r];",
    to: "= diagonal[r];",
    tests: BLOCK_TEST,
  },
  {
    name: "block_tile_rotate: columns rest with the wrong pair",
    file: "shaders/linalg/block_tile_rotate.wgsl",
    from: "let turns_columns = counters[2u * pair_j + 1u] != 0u;",
    to: "let turns_columns = counters[2u * pair_i + 1u] != 0u;",
    tests: BLOCK_TEST,
  },
  {
    name: "block_tile_rotate: a row of P missed",
    file: "shaders/linalg/block_tile_rotate.wgsl",
    from: "k < row_terms;",
    to: "k + 1u < row_terms;",
    tests: BLOCK_TEST,
  },
  {
    name: "block_tile_rotate: barrier before the rows are stored dropped",
    file: "shaders/linalg/block_tile_rotate.wgsl",
    from: "    storageBarrier();\n    for (var r = 0u; r < ROWS; r++) { //#unroll\n      for (var q = 0u; q < QUADS; q++) { //#unroll\n        matrix[own",
    to: "    for (var r = 0u; r < ROWS; r++) { //#unroll\n      for (var q = 0u; q < QUADS; q++) { //#unroll\n        matrix[own",
    tests: RACE_TEST,
  },
  {
    name: "block_rows_rotate: P transposed",
    file: "shaders/linalg/block_rows_rotate.wgsl",
    from: "rotations[p_base + k * 8u + g]",
    to: "rotations[pair * 256u + (row0 + 4u * g) * 8u + k / 4u]",
    tests: BLOCK_TEST,
  },
  {
    name: "block_rows_rotate: finished matrices turn on",
    file: "shaders/linalg/block_rows_rotate.wgsl",
    from: "if (state[4u * group.y + 2u] != 0u) {",
    to: "if (state[4u * group.y + 2u] > 1u) {",
    tests: BLOCK_TEST,
  },
  {
    name: "block_sweep_end: counters not cleared",
    file: "shaders/linalg/block_sweep_end.wgsl",
    from: "    counters[at] = 0u;\n",
    to: "",
    tests: BLOCK_TEST,
  },
  {
    name: "block_sweep_end: one sweep too many allowed",
    file: "shaders/linalg/block_sweep_end.wgsl",
    from: "sweeps >= params.max_sweeps",
    to: "sweeps > params.max_sweeps",
    tests: BLOCK_TEST,
  },
  {
    name: "eigh_range: the diagonal is not looked at",
    file: "shaders/linalg/eigh_range.wgsl",
    from: "column <= row",
    to: "column < row",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_range: rows of one part only",
    file: "shaders/linalg/eigh_range.wgsl",
    from: "var row = group.x;",
    to: "var row = group.x + params.parts;",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_prepare: upper triangle read",
    file: "shaders/linalg/eigh_prepare.wgsl",
    from: "a[start + max(row, column) * n + min(row, column)]",
    to: "a[start + row * n + column]",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_prepare: infinite matrices are not finished",
    file: "shaders/linalg/eigh_prepare.wgsl",
    from: "select(0u, 1u, is_trivial)",
    to: "select(0u, 1u, largest == 0u)",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_off_norm: the diagonal counts",
    file: "shaders/linalg/eigh_off_norm.wgsl",
    from: "select(entry, 0.0, row == column)",
    to: "entry",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_off_norm: a lane's sum forgotten",
    file: "shaders/linalg/eigh_off_norm.wgsl",
    from: "for (var other = 1u;",
    to: "for (var other = 2u;",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_order: ties change their order",
    file: "shaders/linalg/eigh_order.wgsl",
    from: "other < id.x",
    to: "other > id.x",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_order: values not scaled back",
    file: "shaders/linalg/eigh_order.wgsl",
    from: "= value * grow;",
    to: "= value;",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_vectors: rows instead of columns",
    file: "shaders/linalg/eigh_vectors.wgsl",
    from: "source[group.z * n + at % n]",
    to: "source[group.z * n + at / n]",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_vectors: stride of the unpadded matrix",
    file: "shaders/linalg/eigh_vectors.wgsl",
    from: "row) * params.stride + at / n",
    to: "row) * n + at / n",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_residual: upper triangle read",
    file: "shaders/linalg/eigh_residual.wgsl",
    from: "a[base + max(i, k) * n + min(i, k)]",
    to: "a[base + i * n + k]",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_residual: columns beyond the edge count",
    file: "shaders/linalg/eigh_residual.wgsl",
    from: "select(vec4<f32>(), acc[r] - v * (lambda * shrink), inside)",
    to: "acc[r] - v * (lambda * shrink)",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "eigh_residual_end: roots left out",
    file: "shaders/linalg/eigh_residual_end.wgsl",
    from: "sqrt(sums.x) / sqrt(sums.y)",
    to: "sums.x / sums.y",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "multiply_add: three steps counted as four",
    file: "shaders/bench/multiply_add.wgsl",
    from: "step < 4u",
    to: "step < 3u",
    tests: ["test/kernels/multiplyAdd.test.ts"],
  },
  {
    name: "multiply_add: all chains start alike",
    file: "shaders/bench/multiply_add.wgsl",
    from: "f32(id.x + c)",
    to: "f32(id.x)",
    tests: ["test/kernels/multiplyAdd.test.ts"],
  },
  {
    name: "eigh_residual_end: a partial sum missed",
    file: "shaders/linalg/eigh_residual_end.wgsl",
    from: "at < params.parts;",
    to: "at + 1u < params.parts;",
    tests: EIGH_STAGES_TEST,
  },
  {
    name: "softmax_cross_entropy: barrier before the maximum dropped",
    file: "shaders/loss/softmax_cross_entropy.wgsl",
    from: "    workgroupBarrier();\n    let first",
    to: "    let first",
    tests: RACE_TEST,
  },
  {
    name: "softmax_cross_entropy: the label's own power among the others",
    file: "shaders/loss/softmax_cross_entropy.wgsl",
    from: "sum += select(power, 0.0, column == label);",
    to: "sum += power;",
    tests: ["test/kernels/classification.test.ts"],
  },
  {
    name: "gather_rows: columns of the row before",
    file: "shaders/data/gather_rows.wgsl",
    from: "+ at % params.columns];",
    to: "+ (at + 1u) % params.columns];",
    tests: ["test/kernels/classification.test.ts"],
  },
  {
    name: "fold: the mean not scaled",
    file: "src/nn/fold.ts",
    from: "(running[offset + c] ?? 0) * factor)",
    to: "(running[offset + c] ?? 0))",
    tests: ["test/nn/fold.test.ts"],
  },
  {
    name: "fold: matrices scaled along their inputs",
    file: "src/nn/fold.ts",
    from: "isLastAxis: !(node.attributes as MatmulAttributes).transposeB",
    to: "isLastAxis: true",
    tests: ["test/nn/fold.test.ts"],
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
