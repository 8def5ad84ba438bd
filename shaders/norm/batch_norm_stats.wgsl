// batch_norm_stats — per channel and part of the rows: sum and summed squared deviations from the part's own mean.
//
//   partials[p, 0, c] = Σ x[i, c]      partials[p, 1, c] = Σ (x[i, c] − mean_p[c])²      i in rows p·chunk … (p+1)·chunk − 1
//   by blocks of four rows, each about its own mean, merged into the running moments (E[x²] − E[x]² is never formed)
//
// Layout    x f32[rows, 4·quads] (NHWC, rows = B·H·W) as vec4 · partials f32[parts, 2, 4·quads] as vec4
// Dispatch  (⌈quads/QUADS⌉, parts, 1) with SHARED, else (⌈quads/QUADS⌉, parts·QUADS/WG, 1)
// Knobs     WG, QUADS powers of two, QUADS ≤ WG; SHARED: the lanes of a workgroup share one part (a tree, barriers), else each lane that
//           shares channels has a part of its own (no barrier, no workgroup memory)
// Error     sums: γ_k·Σ|x|, k = ⌈rows of a lane⌉ + log2 WG; squares: γ_{2k+8}·Σd² + 2·√(n·Σd²)·h + n·h², h = γ_{k+8}·5·√(mean x²), which
//           test/kernels/batchNorm.test.ts derives   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  norm/batch_norm_grad_reduce.wgsl
// Oracle    test/oracle/batchNorm.ts
// Source    Ioffe & Szegedy 2015, Algorithm 1; Chan, Golub & LeVeque 1983
//#include "lib/moments.wgsl"
override WG: u32 = 64u;
override QUADS: u32 = 16u;
const SHARED: bool = true; //#knob
struct Params { rows: u32, quads: u32, parts: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn batch_norm_stats(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let stripes = WG / QUADS;
  let stripe = lane / QUADS;
  let quad = group.x * QUADS + lane % QUADS;
  // Lanes beyond the last channel repeat it and store nothing.
  let column = min(quad, params.quads - 1u);
  let part = select(group.y * stripes + stripe, group.y, SHARED);
  let step = select(1u, stripes, SHARED);
  let end = min((part + 1u) * params.chunk, params.rows);
  let stride = step * params.quads;
  var row = part * params.chunk + select(0u, stripe, SHARED);
  var moments = Moments(0.0, vec4<f32>(), vec4<f32>());
  let ahead = 3u * step;
  for (; row + ahead < end; row += 4u * step) {
    let at = row * params.quads + column;
    let x0 = x[at];
    let x1 = x[at + stride];
    let x2 = x[at + 2u * stride];
    let x3 = x[at + 3u * stride];
    let sum = (x0 + x1) + (x2 + x3);
    let mean = 0.25 * sum;
    let d0 = x0 - mean;
    let d1 = x1 - mean;
    let d2 = x2 - mean;
    let d3 = x3 - mean;
    let difference = mean - moments.sum * (1.0 / max(moments.count, 1.0));
    let weight = 4.0 * moments.count / (moments.count + 4.0);
    moments.squares += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3) + weight * difference * difference;
    moments.sum += sum;
    moments.count += 4.0;
  }
  for (; row < end; row += step) {
    moments = merge_moments(moments, Moments(1.0, x[row * params.quads + column], vec4<f32>()));
  }
  if (SHARED) {
    moments = workgroup_moments(moments, lane);
  }
  if (quad < params.quads && part < params.parts && (stripe == 0u || !SHARED)) {
    let at = part * 2u * params.quads + quad;
    partials[at] = moments.sum;
    partials[at + params.quads] = moments.squares;
  }
}
