// softmax_cross_entropy — per row of logits, −ln of the probability of its label, and the derivative by the logits.
//
//   d_j = x_j − x_label,  h = max(0, max_j d_j),  S = Σ_{j ≠ label} e^{d_j − h},  Z = S + e^{−h}
//   terms[i] = ln(1 + S) where h = 0, else h + ln Z: a loss near 0 keeps its digits
//   residual[i, j] = e^{d_j − h}/Z for j ≠ label; residual[i, label] = −S/Z, which is the label's probability minus 1 without cancelling
//
// Layout    logits f32[rows, columns] · labels u32[rows], below columns · terms f32[rows] · residual f32[rows, columns]
// Dispatch  ⌈rows·LANES/WG⌉ workgroups, folded into y; LANES invocations a row
// Knobs     WG, LANES powers of two, LANES ≤ WG
// Error     with D = max_j |d_j| and k = ⌈columns/LANES⌉ + log2 LANES: |term − exact| ≤ (k + 8 + 5·D)·u,
//           |residual − exact| ≤ (2k + 12 + 8·D)·u·|residual| (u = 2⁻²⁴); powers below e⁻⁸⁷ are 0
// Backward  residual times the cotangent
// Oracle    test/oracle/classification.ts
// Source    Bridle 1990, Probabilistic interpretation of feedforward classification network outputs
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
//#include "lib/log_one_plus.wgsl"
override WG: u32 = 64u;
override LANES: u32 = 16u;
struct Params { rows: u32, columns: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> terms: array<f32>;
@group(0) @binding(4) var<storage, read_write> residual: array<f32>;

//#include "lib/row_sum.wgsl"

var<workgroup> row_highest_of: array<f32, WG>;

// The largest value of the lanes that share a row; must be reached by the whole workgroup.
fn row_highest(value: f32, lane: u32) -> f32 {
  if (LANES > 1u) {
    row_highest_of[lane] = value;
    workgroupBarrier();
    let first = lane - lane % LANES;
    var highest = row_highest_of[first];
    for (var other = 1u; other < LANES; other++) {
      highest = max(highest, row_highest_of[first + other]);
    }
    return highest;
  } else {
    return value;
  }
}

@compute @workgroup_size(WG)
fn softmax_cross_entropy(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup_index(group, groups) * WG + lane) / LANES;
  let row = min(index, params.rows - 1u);
  let base = row * params.columns;
  let label = labels[row];
  let reference = logits[base + label];
  let first = lane % LANES;
  var own = 0.0;
  for (var column = first; column < params.columns; column += LANES) {
    own = max(own, logits[base + column] - reference);
  }
  let highest = row_highest(own, lane);
  var sum = 0.0;
  for (var column = first; column < params.columns; column += LANES) {
    let power = exponential(logits[base + column] - reference - highest);
    sum += select(power, 0.0, column == label);
  }
  let others = row_sum(vec4<f32>(sum, 0.0, 0.0, 0.0), lane).x;
  let total = others + exponential(-highest);
  if (index < params.rows) {
    for (var column = first; column < params.columns; column += LANES) {
      let power = exponential(logits[base + column] - reference - highest);
      residual[base + column] = select(power, -others, column == label) / total;
    }
    if (first == 0u) {
      terms[row] = select(highest + natural_log(total), log_one_plus(others), highest == 0.0);
    }
  }
}
