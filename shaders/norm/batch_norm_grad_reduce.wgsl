// batch_norm_grad_reduce — the sums that the cotangent of batch normalisation needs, per channel and part; applies the ReLU's mask.
//
//   d = d_y where y > 0, else 0 (with RELU; stored in masked), else d_y      x̂ = (x − mean)·r
//   partials[p, 0, c] = Σ d      partials[p, 1, c] = Σ d·x̂      over rows p·chunk … (p+1)·chunk − 1
//
// Layout    d_y, x, y, masked f32[rows, 4·quads] as vec4 · moments f32[≥ 2·4·quads] (mean, unbiased variance) · partials f32[parts,
//           2, 4·quads]
// Dispatch  (⌈quads/QUADS⌉, parts, 1) with SHARED, else (⌈quads/QUADS⌉, parts·QUADS/WG, 1)
// Knobs     WG, QUADS powers of two, QUADS ≤ WG; SHARED: the lanes of a workgroup share one part (a tree, barriers), else each lane that
//           shares channels has a part of its own; SUBTRACT_MEAN and DIVIDE as in batch_norm_apply, RELU
// Error     Σ d: γ_k·Σ|d|, k = ⌈rows of a lane⌉ + log2 WG; Σ d·x̂: γ_{k+20}·Σ|d|·(|x| + |mean|)·r   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/batchNorm.ts
// Source    Ioffe & Szegedy 2015, §3
override WG: u32 = 64u;
override QUADS: u32 = 16u;
const SHARED: bool = true; //#knob
const SUBTRACT_MEAN: bool = true; //#knob
const DIVIDE: bool = true; //#knob
const RELU: bool = false; //#knob
struct Params { rows: u32, quads: u32, parts: u32, chunk: u32, epsilon: f32, variance_factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> moments: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> masked: array<vec4<f32>>;

var<workgroup> lane_sums: array<vec4<f32>, WG>;
var<workgroup> lane_products: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn batch_norm_grad_reduce(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let stripes = WG / QUADS;
  let stripe = lane / QUADS;
  let quad = group.x * QUADS + lane % QUADS;
  let column = min(quad, params.quads - 1u);
  let is_inside = quad < params.quads;
  let part = select(group.y * stripes + stripe, group.y, SHARED);
  let step = select(1u, stripes, SHARED);
  let end = select(0u, min((part + 1u) * params.chunk, params.rows), is_inside);
  var mean = vec4<f32>();
  var factor = vec4<f32>(1.0);
  if (SUBTRACT_MEAN) {
    mean = moments[column];
  }
  if (DIVIDE) {
    factor = 1.0 / sqrt(params.variance_factor * moments[params.quads + column] + params.epsilon);
  }
  var sum = vec4<f32>();
  var products = vec4<f32>();
  for (var row = part * params.chunk + select(0u, stripe, SHARED); row < end; row += step) {
    let at = row * params.quads + quad;
    var d = d_y[at];
    if (RELU) {
      d = select(vec4<f32>(), d, y[at] > vec4<f32>());
      masked[at] = d;
    }
    sum += d;
    products += d * (x[at] - mean);
  }
  products = products * factor;
  if (SHARED) {
    lane_sums[lane] = sum;
    lane_products[lane] = products;
    workgroupBarrier();
    for (var half = WG / 2u; half >= QUADS; half = half / 2u) {
      if (lane < half) {
        lane_sums[lane] = lane_sums[lane] + lane_sums[lane + half];
        lane_products[lane] = lane_products[lane] + lane_products[lane + half];
      }
      workgroupBarrier();
    }
    sum = lane_sums[lane % QUADS];
    products = lane_products[lane % QUADS];
  }
  if (is_inside && part < params.parts && (stripe == 0u || !SHARED)) {
    let at = part * 2u * params.quads + quad;
    partials[at] = sum;
    partials[at + params.quads] = products;
  }
}
