// conv2d_batched — Y = epilogue(X ∗ F), each workgroup PIXELS neighbours of an output row × 4·QUADS channels of WG images.
//
//   y[n, oh, ow, co] = Σ_{kh, kw, ci} x[n, oh·stride_h + kh − pad_h, ow·STRIDE_W + kw − pad_w, ci] · f[kh, kw, ci, co], zero outside x
//   epilogue: · scale[co] (HAS_SCALE), + bias[co] (HAS_BIAS), + addend[n, oh, ow, co] (HAS_ADDEND), then max(·, 0) (RELU)
//
// Layout    x f32[batch, in_h, in_w, Ci] · filter f32[kernel_h, KERNEL_W, Ci, Co] · scale, bias f32[Co] · addend, y f32[batch, out_h, out_w, Co];
//           Ci = 4·ci_quads, Co = 4·co_quads
// Dispatch  (⌈co_quads/QUADS⌉, out_h·⌈out_w/PIXELS⌉, ⌈batch/WG⌉); an invocation has an image, so that rows, padding and taps are those of
//           the workgroup
// Knobs     WG; PIXELS, QUADS: the tile; KERNEL_W, STRIDE_W; STEP = min(STRIDE_W, KERNEL_W); of a tile's (PIXELS − 1)·STEP + KERNEL_W
//           input columns, EDGE_LEFT first and EDGE_RIGHT last ones may lie outside x in some tile, or with WHOLE_ROW (PIXELS ≥ out_w) do
// Error     |y − exact| ≤ γ_{K+3}·(|scale|·Σ|x||f| + |bias| + |addend|), K = kernel_h·KERNEL_W·Ci   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  conv2d_data_grad_batched and conv2d_weight_grad_register; the bias by reduce_columns
// Oracle    test/oracle/conv.ts
// Source    direct convolution over images side by side, for adapters whose lanes load one by one (docs/kernels.md, software adapters)
//#include "lib/kept.wgsl"
override WG: u32 = 16u;
const PIXELS: u32 = 8u; //#knob
const QUADS: u32 = 2u; //#knob
const KERNEL_W: u32 = 3u; //#knob
const STRIDE_W: u32 = 1u; //#knob
const STEP: u32 = 1u; //#knob
const EDGE_LEFT: u32 = 1u; //#knob
const EDGE_RIGHT: u32 = 1u; //#knob
const WHOLE_ROW: bool = false; //#knob
const HAS_SCALE: bool = false; //#knob
const HAS_BIAS: bool = false; //#knob
const HAS_ADDEND: bool = false; //#knob
const RELU: bool = false; //#knob
struct Params {
  batch: u32, in_h: u32, in_w: u32, ci_quads: u32,
  out_h: u32, out_w: u32, co_quads: u32,
  kernel_h: u32, stride_h: u32, pad_h: u32, pad_w: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> filter_taps: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> scale: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

fn filter_block(at: u32, stride: u32, lane: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    filter_taps[at],
    filter_taps[at + stride],
    filter_taps[at + 2u * stride],
    filter_taps[at + 3u * stride],
  );
}

//#include "lib/conv2d_batched.wgsl"

@compute @workgroup_size(WG)
fn conv2d_batched(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  convolve(group, lane);
}
