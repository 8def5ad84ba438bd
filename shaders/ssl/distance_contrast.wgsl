// distance_contrast — per anchor, a contrastive loss of half squared distances to one positive and H negatives.
//
//   r₊ = ½‖a − p‖², r_k = ½‖a − n_k‖²
//   LINEAR  term = r₊ − r_1 + beta·r₊ (H = 1)
//   else    x_k = (r₊ − r_k + margin)·inverse_temperature, term = height·ln(1 + Σ_k e^{x_k}) + beta·r₊
//   slopes[row] = (∂term/∂r₊, ∂term/∂r_1 … ∂term/∂r_H); the derivatives through r_k are −height·inverse_temperature·e^{x_k}/(1 + Σe^x)
//
// Layout    anchor, positive f32[rows, columns] · negatives f32[rows, H, columns] · slopes f32[rows, 1 + H] · terms f32[rows]
// Dispatch  ⌈rows/WG⌉ workgroups, folded into y; an invocation owns an anchor
// Knobs     WG workgroup size, LINEAR
// Error     r: γ_{columns+3}·r; term: γ_{columns+H+10}·(height·(1 + Σ|x_k| of the largest terms) + |beta|·r₊)
//           (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  ssl/distance_contrast_grad.wgsl
// Oracle    test/oracle/sslKernels.ts
// Source    Tian et al. 2020 (arXiv 2010.00578v6): simple (LINEAR), soft triplet (height τ, margin r₀), InfoNCE (height 1)
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
//#include "lib/log_one_plus.wgsl"
override WG: u32 = 64u;
const LINEAR: bool = false; //#knob
struct Params { rows: u32, columns: u32, negatives: u32, inverse_temperature: f32, margin: f32, height: f32, beta: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> anchor: array<f32>;
@group(0) @binding(2) var<storage, read> positive: array<f32>;
@group(0) @binding(3) var<storage, read> negatives: array<f32>;
@group(0) @binding(4) var<storage, read_write> slopes: array<f32>;
@group(0) @binding(5) var<storage, read_write> terms: array<f32>;

@compute @workgroup_size(WG)
fn distance_contrast(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups) * WG + lane;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.columns;
  var near = 0.0;
  for (var column = 0u; column < params.columns; column++) {
    let difference = anchor[base + column] - positive[base + column];
    near += difference * difference;
  }
  near = 0.5 * near;
  let out = row * (params.negatives + 1u);
  // The exponents wait in `slopes` until their maximum is known; 0 stands for the positive.
  var highest = 0.0;
  for (var k = 0u; k < params.negatives; k++) {
    let start = (row * params.negatives + k) * params.columns;
    var far = 0.0;
    for (var column = 0u; column < params.columns; column++) {
      let difference = anchor[base + column] - negatives[start + column];
      far += difference * difference;
    }
    let x = (near - 0.5 * far + params.margin) * params.inverse_temperature;
    slopes[out + 1u + k] = x;
    highest = max(highest, x);
  }
  if (LINEAR) {
    // Margin 0 and inverse temperature 1: the exponent is the difference itself.
    terms[row] = slopes[out + 1u] + params.beta * near;
    slopes[out] = 1.0 + params.beta;
    slopes[out + 1u] = -1.0;
  } else {
    var sum = 0.0;
    for (var k = 0u; k < params.negatives; k++) {
      sum += exponential(slopes[out + 1u + k] - highest);
    }
    // Σe^x against the positive's own 1, both over e^highest.
    let own = exponential(-highest);
    var loss = 0.0;
    if (highest > 0.0) {
      loss = highest + natural_log(sum + own);
    } else {
      loss = log_one_plus(sum);
    }
    terms[row] = params.height * loss + params.beta * near;
    var total = 0.0;
    for (var k = 0u; k < params.negatives; k++) {
      let slope = params.height * params.inverse_temperature * exponential(slopes[out + 1u + k] - highest) / (sum + own);
      slopes[out + 1u + k] = -slope;
      total += slope;
    }
    slopes[out] = total + params.beta;
  }
}
