// conv2d_weight_grad_workgroup — partial cotangents of a convolution's filter, one per split of the pixels of dy, tiles in workgroup memory.
//
//   df[s, kh, kw, ci, co] = Σ_{(n, oh, ow) in split s} x[n, oh·stride_h + kh − pad_h, ow·stride_w + kw − pad_w, ci] · dy[n, oh, ow, co]
//
// Layout    x f32[batch, in_h, in_w, ci] · d_y f32[batch, out_h, out_w, co] · d_filter f32[splits, kernel_h, KERNEL_W, ci, co];
//           ci and co multiples of 4; split s has the rows s·split_rows … of the batch·out_h rows of dy
// Tile      64 entries (kh, kw, ci) × 64 channels × 16 pixels per workgroup of 16 × 16; each invocation 4 × 4 outputs
// Dispatch  (⌈kernel_h·KERNEL_W·ci/64⌉, ⌈co/64⌉, splits)
// Knobs     KERNEL_W
// Error     |df − exact| ≤ γ_k·Σ|x||dy| for every split, k = number of its pixels   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  linear in both operands: conv2d with the cotangent as filter, and its data gradient
// Oracle    test/oracle/conv.ts
// Source    split-K without atomics: the partial sums are added by conv2d_split_sum in a fixed order
const KERNEL_W: u32 = 3u; //#knob
const TILE_K: u32 = 16u;
struct Params {
  batch: u32, in_h: u32, in_w: u32, ci: u32,
  out_h: u32, out_w: u32, co: u32,
  kernel_h: u32, stride_h: u32, stride_w: u32, pad_h: u32, pad_w: u32,
  splits: u32, split_rows: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> d_filter: array<vec4<f32>>;

// [pixel][quad of (kh, kw, ci)] and [pixel][quad of co].
var<workgroup> x_tile: array<vec4<f32>, TILE_K * 16u>;
var<workgroup> y_tile: array<vec4<f32>, TILE_K * 16u>;

@compute @workgroup_size(16, 16)
fn conv2d_weight_grad_workgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let entries = params.kernel_h * KERNEL_W * params.ci;
  let entry0 = group.x * 64u;
  let quad0 = group.y * 16u;
  let co_quads = params.co / 4u;
  let pixel_begin = group.z * params.split_rows * params.out_w;
  let pixel_end = min(pixel_begin + params.split_rows * params.out_w, params.batch * params.out_h * params.out_w);

  // Each invocation gathers the same four entries and the same four channels throughout.
  let entry = entry0 + lane % 16u * 4u;
  let tap = entry / params.ci;
  let ci = entry - tap * params.ci;
  let kh = tap / KERNEL_W;
  let kw = tap - kh * KERNEL_W;
  let gather_quad = quad0 + lane % 16u;

  var acc: array<vec4<f32>, 4u>;
  for (var first = pixel_begin; first < pixel_end; first += TILE_K) {
    let pixel = first + lane / 16u;
    let row = pixel / params.out_w;
    let image = row / params.out_h;
    let ih = (row - image * params.out_h) * params.stride_h + kh - params.pad_h;
    let iw = (pixel - row * params.out_w) * params.stride_w + kw - params.pad_w;
    var value = vec4<f32>(0.0);
    if (pixel < pixel_end && entry < entries && ih < params.in_h && iw < params.in_w) {
      value = x[(((image * params.in_h + ih) * params.in_w + iw) * params.ci + ci) / 4u];
    }
    x_tile[lane] = value;
    var cotangent = vec4<f32>(0.0);
    if (pixel < pixel_end && gather_quad < co_quads) {
      cotangent = d_y[pixel * co_quads + gather_quad];
    }
    y_tile[lane] = cotangent;
    workgroupBarrier();
    for (var k = 0u; k < TILE_K; k++) {
      let x_k = x_tile[k * 16u + local.y];
      let y_k = y_tile[k * 16u + local.x];
      acc[0u] += x_k.x * y_k;
      acc[1u] += x_k.y * y_k;
      acc[2u] += x_k.z * y_k;
      acc[3u] += x_k.w * y_k;
    }
    workgroupBarrier();
  }
  let quad = quad0 + local.x;
  for (var r = 0u; r < 4u; r++) { //#unroll
    let at = entry0 + local.y * 4u + r;
    if (at < entries && quad < co_quads) {
      d_filter[(group.z * entries + at) * co_quads + quad] = acc[r];
    }
  }
}
