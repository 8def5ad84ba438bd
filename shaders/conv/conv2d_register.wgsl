// conv2d_register — Y = epilogue(X ∗ F), each invocation PIXELS neighbours of one output row × 4·QUADS channels in registers.
//
//   y[n, oh, ow, co] = Σ_{kh, kw, ci} x[n, oh·stride_h + kh − pad_h, ow·STRIDE_W + kw − pad_w, ci] · f[kh, kw, ci, co], zero outside x
//   epilogue: · scale[co] (HAS_SCALE), + bias[co] (HAS_BIAS), + addend[n, oh, ow, co] (HAS_ADDEND), then max(·, 0) (RELU)
//
// Layout    x f32[batch, in_h, in_w, Ci] · filter f32[kernel_h, KERNEL_W, Ci, Co] · scale, bias f32[Co] · addend, y f32[batch, out_h, out_w, Co];
//           Ci = 4·ci_quads, Co = 4·co_quads
// Dispatch  ⌈batch·out_h·⌈out_w/PIXELS⌉·⌈co_quads/QUADS⌉ / WG⌉, folded
// Knobs     WG; PIXELS, QUADS: the tile; KERNEL_W, STRIDE_W; STEP = min(STRIDE_W, KERNEL_W); of a tile's (PIXELS − 1)·STEP + KERNEL_W
//           input columns, EDGE_LEFT first and EDGE_RIGHT last ones may lie outside x in some tile
// Error     |y − exact| ≤ γ_{K+3}·(|scale|·Σ|x||f| + |bias| + |addend|), K = kernel_h·KERNEL_W·Ci   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  conv2d_data_grad_register and conv2d_weight_grad_register, or the workgroup family; the bias by reduce_columns
// Oracle    test/oracle/conv.ts
// Source    direct convolution as a product by implicit im2col (Chellapilla et al. 2006) without the matrix; an input column is loaded
//           once for all KERNEL_W taps that use it
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const PIXELS: u32 = 4u; //#knob
const QUADS: u32 = 2u; //#knob
const KERNEL_W: u32 = 3u; //#knob
const STRIDE_W: u32 = 1u; //#knob
const STEP: u32 = 1u; //#knob
const EDGE_LEFT: u32 = 1u; //#knob
const EDGE_RIGHT: u32 = 1u; //#knob
const HAS_SCALE: bool = false; //#knob
const HAS_BIAS: bool = false; //#knob
const HAS_ADDEND: bool = false; //#knob
const RELU: bool = false; //#knob
const COLUMNS: u32 = (PIXELS - 1u) * STEP + KERNEL_W;
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

@compute @workgroup_size(WG)
fn conv2d_register(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // Neighbouring invocations take neighbouring channels of the same pixels.
  let item = workgroup_index(group, groups) * WG + lane;
  let channel_tiles = (params.co_quads + QUADS - 1u) / QUADS;
  let column_tiles = (params.out_w + PIXELS - 1u) / PIXELS;
  let tile = item / channel_tiles;
  if (tile >= params.batch * params.out_h * column_tiles) {
    return;
  }
  let quad0 = (item - tile * channel_tiles) * QUADS;
  let row = tile / column_tiles;
  let ow0 = (tile - row * column_tiles) * PIXELS;
  let image = row / params.out_h;
  // First input row and column of the tile, counted from the padded border; below the border's width they lie outside.
  let top = (row - image * params.out_h) * params.stride_h;
  let left = ow0 * STRIDE_W - params.pad_w;
  let bottom = params.in_h + params.pad_h;
  let kh_begin = select(0u, params.pad_h - top, top < params.pad_h);
  let kh_end = min(params.kernel_h, select(0u, bottom - top, top < bottom));

  var acc: array<vec4<f32>, PIXELS * QUADS>;
  for (var kh = kh_begin; kh < kh_end; kh++) {
    let x_row = (image * params.in_h + top + kh - params.pad_h) * params.in_w + left;
    for (var c = 0u; c < params.ci_quads; c++) {
      var taps: array<vec4<f32>, COLUMNS>;
      for (var j = 0u; j < COLUMNS; j++) { //#unroll
        let at = (x_row + (j / STEP) * STRIDE_W + j % STEP) * params.ci_quads + c;
        if (j < EDGE_LEFT || j >= COLUMNS - EDGE_RIGHT) {
          let is_inside = left + (j / STEP) * STRIDE_W + j % STEP < params.in_w;
          taps[j] = select(vec4<f32>(0.0), x[select(0u, at, is_inside)], is_inside);
        } else {
          taps[j] = x[at];
        }
      }
      for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
        let f_at = ((kh * KERNEL_W + kw) * params.ci_quads + c) * 4u * params.co_quads;
        for (var q = 0u; q < QUADS; q++) { //#unroll
          // Channels beyond the last repeat it and are not stored.
          let at = f_at + min(quad0 + q, params.co_quads - 1u);
          let f0 = filter_taps[at];
          let f1 = filter_taps[at + params.co_quads];
          let f2 = filter_taps[at + 2u * params.co_quads];
          let f3 = filter_taps[at + 3u * params.co_quads];
          for (var p = 0u; p < PIXELS; p++) { //#unroll
            // One store to the accumulator: software adapters keep variables in memory and mask every store.
            acc[p * QUADS + q] = acc[p * QUADS + q]
              + taps[p * STEP + kw].x * f0
              + taps[p * STEP + kw].y * f1
              + taps[p * STEP + kw].z * f2
              + taps[p * STEP + kw].w * f3;
          }
        }
      }
    }
  }
  for (var p = 0u; p < PIXELS; p++) { //#unroll
    for (var q = 0u; q < QUADS; q++) { //#unroll
      if (ow0 + p < params.out_w && quad0 + q < params.co_quads) {
        let at = (row * params.out_w + ow0 + p) * params.co_quads + quad0 + q;
        var value = acc[p * QUADS + q];
        if (HAS_SCALE) {
          value *= scale[quad0 + q];
        }
        if (HAS_BIAS) {
          value += bias[quad0 + q];
        }
        if (HAS_ADDEND) {
          value += addend[at];
        }
        if (RELU) {
          value = max(value, vec4<f32>(0.0));
        }
        y[at] = value;
      }
    }
  }
}
