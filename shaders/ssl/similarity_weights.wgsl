// similarity_weights — the matrix W that turns the derivative of a similarity loss into a product: ∂loss/∂u_i = Σ_j W_ij·u_j.
//
//   factor × with s, p, stats (λ, ρ), w as in similarity_rows; 0 where j is i itself
//   MODE 0 (softmax)     negatives: scale·c·( e^{s_ij − λ_i} [ROW_STAT] + e^{s_ij − λ_j} [COLUMN_STAT] ), c = 1/(1 + beta)
//                        partner:   −scale·( ρ_i [ROW_STAT] + ρ_j [COLUMN_STAT] )
//   MODE 1 (covariance)  negatives: 2·w_ij; partner: −(1 + beta)·(Σw_i + Σw_j)
//   MODE 2 (spectral)    negatives: 2·negative_weight·s_ij; partner: −2/pairs
//
// Layout    u, v, stats as in similarity_rows · w f32[rows, columns]; W's row r is row row_start + r of u, its column c row
//           column_start + c
// Dispatch  (⌈columns/(4·WG_X)⌉, ⌈rows/(ROWS·WG_Y)⌉, 1)
// Knobs     WG_X, WG_Y, ROWS, MODE, SEPARATE_WEIGHTS; ROW_STAT, COLUMN_STAT: which end of a pair is an anchor (softmax)
// Error     s as in similarity_rows; an exponential's relative error is that of its argument plus 2u
// Backward  not differentiated
// Oracle    test/oracle/sslKernels.ts
// Source    derivative of similarity_rows; the partner's 1 − P is not formed as a difference
//#include "lib/math.wgsl"
//#include "lib/pair_of.wgsl"
override WG_X: u32 = 8u;
override WG_Y: u32 = 8u;
const ROWS: u32 = 4u; //#knob
const MODE: u32 = 0u; //#knob
const SEPARATE_WEIGHTS: bool = false; //#knob
const ROW_STAT: bool = true; //#knob
const COLUMN_STAT: bool = true; //#knob
struct Params {
  pairs: u32, row_start: u32, rows: u32, column_start: u32, columns: u32, quads: u32, weight_quads: u32,
  scale: f32, inverse_temperature: f32, negative_weight: f32, beta: f32, factor: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read_write> w: array<f32>;

@compute @workgroup_size(WG_X, WG_Y)
fn similarity_weights(@builtin(global_invocation_id) id: vec3<u32>) {
  let row0 = id.y * ROWS;
  let column0 = id.x * 4u;
  if (row0 >= params.rows || column0 >= params.columns) {
    return;
  }
  let last_row = params.row_start + params.rows - 1u;
  let last_column = params.column_start + params.columns - 1u;
  // Rows and columns beyond the edge repeat the last one and are not stored.
  let others = min(params.column_start + column0 + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last_column));
  var similarity: array<vec4<f32>, ROWS>;
  let at = others * params.quads;
  for (var k = 0u; k < params.quads; k++) {
    let b0 = u[at.x + k];
    let b1 = u[at.y + k];
    let b2 = u[at.z + k];
    let b3 = u[at.w + k];
    for (var r = 0u; r < ROWS; r++) { //#unroll
      let a = u[min(params.row_start + row0 + r, last_row) * params.quads + k];
      similarity[r] += vec4<f32>(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
    }
  }
  let others_pairs = pair_of(others, params.pairs);
  var alike: array<vec4<f32>, ROWS>;
  if (SEPARATE_WEIGHTS) {
    let start = others_pairs * params.weight_quads;
    for (var k = 0u; k < params.weight_quads; k++) {
      let b0 = v[start.x + k];
      let b1 = v[start.y + k];
      let b2 = v[start.z + k];
      let b3 = v[start.w + k];
      for (var r = 0u; r < ROWS; r++) { //#unroll
        let a = v[pair_of(vec4<u32>(min(params.row_start + row0 + r, last_row)), params.pairs).x * params.weight_quads + k];
        alike[r] += vec4<f32>(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
      }
    }
  }
  let c = 1.0 / (1.0 + params.beta);
  for (var r = 0u; r < ROWS; r++) { //#unroll
    let row = min(params.row_start + row0 + r, last_row);
    let row_pair = pair_of(vec4<u32>(row), params.pairs).x;
    for (var j = 0u; j < 4u; j++) { //#unroll
      let other = others[j];
      let is_partner = others_pairs[j] == row_pair;
      var negative = 0.0;
      var partner = 0.0;
      if (MODE == 0u) {
        let s = params.scale * similarity[r][j];
        if (ROW_STAT) {
          negative += exponential(s - stats[2u * row]);
          partner -= stats[2u * row + 1u];
        }
        if (COLUMN_STAT) {
          negative += exponential(s - stats[2u * other]);
          partner -= stats[2u * other + 1u];
        }
        negative = params.scale * c * negative;
        partner = params.scale * partner;
      }
      if (MODE == 1u) {
        let t = params.inverse_temperature * (1.0 - select(similarity[r][j], alike[r][j], SEPARATE_WEIGHTS));
        negative = 2.0 * params.negative_weight / (1.0 + exponential(t));
        partner = -(1.0 + params.beta) * (stats[2u * row] + stats[2u * other]);
      }
      if (MODE == 2u) {
        negative = 2.0 * params.negative_weight * similarity[r][j];
        partner = -2.0 / f32(params.pairs);
      }
      let weight = select(select(negative, partner, is_partner), 0.0, other == row);
      if (row0 + r < params.rows && column0 + j < params.columns) {
        w[(row0 + r) * params.columns + column0 + j] = params.factor * weight;
      }
    }
  }
}
