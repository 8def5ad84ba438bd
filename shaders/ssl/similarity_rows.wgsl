// similarity_rows — per anchor, the loss term over its similarities to all other rows; the matrix of similarities is never stored.
//
//   s_ij = scale · u_i·u_j,  p = s of the anchor's partner (i + pairs) mod 2·pairs; negatives j: neither the anchor nor its partner
//   MODE 0 (softmax)     ℓ = ln(1 + Σ_j e^{s_ij − p}), by an online maximum; term = c·ℓ + (c − 1)·p, c = 1/(1 + beta)
//                        stats = (p + ℓ, c·(1 − P) + (1 − c)), P the partner's probability
//   MODE 1 (covariance)  w_ij = negative_weight / (1 + e^{(1 − t_ij)·inverse_temperature}), t = u_i·u_j, or v_i·v_j with SEPARATE_WEIGHTS
//                        term = Σ_j w_ij·((1 + beta)(1 − p) − (1 − s_ij));  stats = (Σ_j w_ij, 0); with SEPARATE_WEIGHTS v is
//                        [pairs, ·] and serves row i and its partner alike
//   MODE 2 (spectral)    term = negative_weight·Σ_j s_ij² − 2·p/pairs;  stats = (0, 0)
//
// Layout    u f32[2·pairs, 4·quads], v f32[pairs, 4·weight_quads], rows padded with zeros, read as vec4 · stats f32[2·pairs, 2] ·
//           terms f32[rows]; anchors are rows 0 … rows − 1 of u, the others column_start … column_start + columns − 1
// Dispatch  (⌈rows/ROWS⌉, 1, 1); a workgroup owns ROWS anchors, each lane four of the others at a time
// Knobs     WG ≥ ROWS, ROWS, MODE, SEPARATE_WEIGHTS
// Error     s: γ_{4·quads+1}·scale·Σ|u_i||u_j|; the sums add γ_k, k = 2·⌈columns/(4·WG)⌉ + WG + 8, of their absolute terms
//           (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  ssl/similarity_weights.wgsl and a matrix product
// Oracle    test/oracle/sslKernels.ts
// Source    softmax: Chen et al. 2020 (NT-Xent), maximum as in Milakov & Gimelshein 2018; covariance: luckmatters/ssl/real-dataset,
//           exact_cov; spectral: HaoChen et al. 2021
//#include "lib/math.wgsl"
//#include "lib/pair_of.wgsl"
//#include "lib/log_one_plus.wgsl"
override WG: u32 = 64u;
const ROWS: u32 = 4u; //#knob
const MODE: u32 = 0u; //#knob
const SEPARATE_WEIGHTS: bool = false; //#knob
struct Params {
  pairs: u32, rows: u32, column_start: u32, columns: u32, quads: u32, weight_quads: u32,
  scale: f32, inverse_temperature: f32, negative_weight: f32, beta: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> stats: array<f32>;
@group(0) @binding(4) var<storage, read_write> terms: array<f32>;

// Below every difference of logits that f32 can hold as their sum.
const LOWEST: f32 = -1e30;

var<workgroup> positives: array<f32, ROWS>;
// Two numbers per anchor and lane: maximum and sum (softmax), weights and terms (others).
var<workgroup> partial: array<vec2<f32>, ROWS * WG>;

@compute @workgroup_size(WG)
fn similarity_rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row0 = group.x * ROWS;
  if (lane < ROWS) {
    let row = min(row0 + lane, params.rows - 1u);
    let partner = select(row + params.pairs, row - params.pairs, row >= params.pairs);
    var product = 0.0;
    for (var k = 0u; k < params.quads; k++) {
      product += dot(u[row * params.quads + k], u[partner * params.quads + k]);
    }
    positives[lane] = params.scale * product;
  }
  workgroupBarrier();
  var state: array<vec2<f32>, ROWS>;
  for (var r = 0u; r < ROWS; r++) { //#unroll
    state[r] = vec2<f32>(select(0.0, LOWEST, MODE == 0u), 0.0);
  }
  for (var column = 4u * lane; column < params.columns; column += 4u * WG) {
    let others = params.column_start + column + vec4<u32>(0u, 1u, 2u, 3u);
    // Columns beyond the end repeat the last one and do not count.
    let clamped = min(others, vec4<u32>(params.column_start + params.columns - 1u));
    let columns_pairs = pair_of(clamped, params.pairs);
    var similarity: array<vec4<f32>, ROWS>;
    // SwiftShader clears what a loop's body declares in the first turn only.
    for (var r = 0u; r < ROWS; r++) { //#unroll
      similarity[r] = vec4<f32>(0.0);
    }
    let at = clamped * params.quads;
    for (var k = 0u; k < params.quads; k++) {
      let b0 = u[at.x + k];
      let b1 = u[at.y + k];
      let b2 = u[at.z + k];
      let b3 = u[at.w + k];
      for (var r = 0u; r < ROWS; r++) { //#unroll
        let a = u[min(row0 + r, params.rows - 1u) * params.quads + k];
        similarity[r] += vec4<f32>(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
      }
    }
    var alike: array<vec4<f32>, ROWS>;
    for (var r = 0u; r < ROWS; r++) { //#unroll
      alike[r] = vec4<f32>(0.0);
    }
    if (SEPARATE_WEIGHTS) {
      let start = columns_pairs * params.weight_quads;
      for (var k = 0u; k < params.weight_quads; k++) {
        let b0 = v[start.x + k];
        let b1 = v[start.y + k];
        let b2 = v[start.z + k];
        let b3 = v[start.w + k];
        for (var r = 0u; r < ROWS; r++) { //#unroll
          let a = v[pair_of(vec4<u32>(min(row0 + r, params.rows - 1u)), params.pairs).x * params.weight_quads + k];
          alike[r] += vec4<f32>(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
        }
      }
    }
    for (var r = 0u; r < ROWS; r++) { //#unroll
      let row = min(row0 + r, params.rows - 1u);
      // Anchor and partner are the same row modulo the number of pairs.
      let is_negative = (columns_pairs != pair_of(vec4<u32>(row), params.pairs)) & (others == clamped);
      let mask = select(vec4<f32>(0.0), vec4<f32>(1.0), is_negative);
      let s = params.scale * similarity[r];
      if (MODE == 0u) {
        let x = select(vec4<f32>(LOWEST), s - vec4<f32>(positives[r]), is_negative);
        let highest = max(state[r].x, max(max(x.x, x.y), max(x.z, x.w)));
        let powers = vec4<f32>(
          exponential(x.x - highest), exponential(x.y - highest), exponential(x.z - highest), exponential(x.w - highest),
        );
        state[r] = vec2<f32>(highest, state[r].y * exponential(state[r].x - highest) + dot(mask, powers));
      }
      if (MODE == 1u) {
        let t = params.inverse_temperature * (vec4<f32>(1.0) - select(similarity[r], alike[r], SEPARATE_WEIGHTS));
        let powers = vec4<f32>(exponential(t.x), exponential(t.y), exponential(t.z), exponential(t.w));
        let w = params.negative_weight * mask / (vec4<f32>(1.0) + powers);
        let difference = vec4<f32>((1.0 + params.beta) * (1.0 - positives[r])) - (vec4<f32>(1.0) - s);
        state[r] += vec2<f32>(dot(w, vec4<f32>(1.0)), dot(w, difference));
      }
      if (MODE == 2u) {
        state[r] += vec2<f32>(0.0, dot(mask * s, s));
      }
    }
  }
  for (var r = 0u; r < ROWS; r++) { //#unroll
    partial[r * WG + lane] = state[r];
  }
  workgroupBarrier();
  let row = row0 + lane;
  if (lane < ROWS && row < params.rows) {
    let p = positives[lane];
    var term = 0.0;
    var stat = vec2<f32>(0.0);
    var sum = vec2<f32>(0.0);
    if (MODE == 0u) {
      var highest = LOWEST;
      for (var other = 0u; other < WG; other++) {
        highest = max(highest, partial[lane * WG + other].x);
      }
      for (var other = 0u; other < WG; other++) {
        let part = partial[lane * WG + other];
        sum.y += part.y * exponential(part.x - highest);
      }
      let c = 1.0 / (1.0 + params.beta);
      // ln(1 + S·e^h) and S·e^h/(1 + S·e^h), by the form that does not overflow.
      let power = exponential(-abs(highest));
      var loss = 0.0;
      var rest = 0.0;
      if (highest <= 0.0) {
        let odds = sum.y * power;
        loss = log_one_plus(odds);
        rest = odds / (1.0 + odds);
      } else {
        loss = highest + natural_log(sum.y + power);
        rest = sum.y / (sum.y + power);
      }
      term = c * loss + (c - 1.0) * p;
      stat = vec2<f32>(p + loss, c * rest + (1.0 - c));
    } else {
      for (var other = 0u; other < WG; other++) {
        sum += partial[lane * WG + other];
      }
      if (MODE == 1u) {
        term = sum.y;
        stat = vec2<f32>(sum.x, 0.0);
      } else {
        term = params.negative_weight * sum.y - 2.0 * p / f32(params.pairs);
      }
    }
    terms[row] = term;
    stats[2u * row] = stat.x;
    stats[2u * row + 1u] = stat.y;
  }
}
