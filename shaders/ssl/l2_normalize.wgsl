// l2_normalize — divides each row by its Euclidean norm, or shortens rows longer than a radius, in the forms that references use.
//
//   n = ‖x‖     MODE 0: y = x / max(n, ε)          MODE 1: y = x / √(n² + ε)
//               MODE 2: y = x / (n + ε)            MODE 3: y = x · min(1, ε / n)    (ε is a radius)
//   stats[row] = (s, k) with y = s·x and dx = s·(dy − k·y·(y·dy)):
//     k = 1 in modes 0 (0 where n ≤ ε) and 1, (n + ε)/n in mode 2, 1/ε² in mode 3 where the row was shortened, else 0
//
// Layout    x f32[rows, columns] from element x_offset · y f32[rows, stride], columns beyond `columns` set to 0 · stats f32[rows, 2]
// Dispatch  ⌈rows·LANES/WG⌉ workgroups, folded into y; LANES invocations a row
// Knobs     WG, LANES powers of two, LANES ≤ WG; MODE
// Error     |y − exact| ≤ γ_k·|y|, k = ⌈columns/LANES⌉/2 + log2 LANES/2 + 8 (root and quotient 3u each)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  ssl/l2_normalize_grad.wgsl
// Oracle    test/oracle/sslKernels.ts
// Source    mode 0: torch.nn.functional.normalize; 1: the recipe of the golden step; 2: luckmatters/ssl/hltm; 3: HaoChen et al. 2021
//#include "lib/index.wgsl"
override WG: u32 = 64u;
override LANES: u32 = 16u;
const MODE: u32 = 0u; //#knob
struct Params { rows: u32, columns: u32, stride: u32, x_offset: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<f32>;

//#include "lib/row_sum.wgsl"

@compute @workgroup_size(WG)
fn l2_normalize(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup_index(group, groups) * WG + lane) / LANES;
  let is_inside = index < params.rows;
  // Rows beyond the end repeat the last one and store nothing.
  let row = min(index, params.rows - 1u);
  let base = params.x_offset + row * params.columns;
  let first = lane % LANES;
  var squares = 0.0;
  for (var column = first; column < params.columns; column += LANES) {
    let value = x[base + column];
    squares += value * value;
  }
  let total = row_sum(vec4<f32>(squares, 0.0, 0.0, 0.0), lane).x;
  var scale = 1.0;
  var projection = 1.0;
  if (MODE == 0u) {
    let norm = sqrt(total);
    scale = 1.0 / max(norm, params.epsilon);
    projection = select(0.0, 1.0, norm > params.epsilon);
  }
  if (MODE == 1u) {
    scale = 1.0 / sqrt(total + params.epsilon);
  }
  if (MODE == 2u) {
    let norm = sqrt(total);
    scale = 1.0 / (norm + params.epsilon);
    projection = select(0.0, (norm + params.epsilon) / max(norm, 1e-30), norm > 1e-30);
  }
  if (MODE == 3u) {
    let norm = sqrt(total);
    let is_shortened = norm > params.epsilon;
    scale = select(1.0, params.epsilon / max(norm, params.epsilon), is_shortened);
    projection = select(0.0, 1.0 / (params.epsilon * params.epsilon), is_shortened);
  }
  if (is_inside) {
    let target_base = row * params.stride;
    for (var column = first; column < params.stride; column += LANES) {
      var value = 0.0;
      if (column < params.columns) {
        value = scale * x[base + column];
      }
      y[target_base + column] = value;
    }
    if (first == 0u) {
      stats[2u * row] = scale;
      stats[2u * row + 1u] = projection;
    }
  }
}
