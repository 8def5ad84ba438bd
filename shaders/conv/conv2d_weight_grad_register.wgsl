// conv2d_weight_grad_register — partial cotangents of a convolution's filter, one per split of the rows of dy; each invocation all taps
// of one filter row × four input channels × 4·QUADS output channels in registers.
//
//   df[s, kh, kw, ci, co] = Σ_{(n, oh) in split s} Σ_ow x[n, oh·stride_h + kh − pad_h, ow·STRIDE_W + kw − pad_w, ci] · dy[n, oh, ow, co]
//
// Layout    x f32[batch, in_h, in_w, Ci] · d_y f32[batch, out_h, out_w, Co] · d_filter f32[splits, kernel_h, KERNEL_W, Ci, Co];
//           Ci = 4·ci_quads, Co = 4·co_quads; split s has the rows s·split_rows … of the batch·out_h rows of dy
// Dispatch  ⌈splits·kernel_h·ci_quads·⌈co_quads/QUADS⌉ / WG⌉, folded
// Knobs     WG; PIXELS (a multiple of 4): strip of a row taken at once; QUADS; KERNEL_W, STRIDE_W; STEP = min(STRIDE_W, KERNEL_W); of a
//           strip's input columns EDGE_LEFT first and EDGE_RIGHT last ones may lie outside x; RAGGED: out_w is no multiple of PIXELS
// Error     |df − exact| ≤ γ_k·Σ|x||dy| for every split, k = number of its pixels   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  linear in both operands: conv2d with the cotangent as filter, and its data gradient
// Oracle    test/oracle/conv.ts
// Source    split-K without atomics: the partial sums are added by conv2d_split_sum in a fixed order
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const PIXELS: u32 = 4u; //#knob
const QUADS: u32 = 1u; //#knob
const KERNEL_W: u32 = 3u; //#knob
const STRIDE_W: u32 = 1u; //#knob
const STEP: u32 = 1u; //#knob
const EDGE_LEFT: u32 = 1u; //#knob
const EDGE_RIGHT: u32 = 1u; //#knob
const RAGGED: bool = false; //#knob
const COLUMNS: u32 = (PIXELS - 1u) * STEP + KERNEL_W;
struct Params {
  batch: u32, in_h: u32, in_w: u32, ci_quads: u32,
  out_h: u32, out_w: u32, co_quads: u32,
  kernel_h: u32, stride_h: u32, pad_h: u32, pad_w: u32,
  splits: u32, split_rows: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> d_filter: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn conv2d_weight_grad_register(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups) * WG + lane;
  let channel_tiles = (params.co_quads + QUADS - 1u) / QUADS;
  let inputs = item / channel_tiles;
  let quad0 = (item - inputs * channel_tiles) * QUADS;
  let filter_row = inputs / params.ci_quads;
  let c = inputs - filter_row * params.ci_quads;
  let split = filter_row / params.kernel_h;
  let kh = filter_row - split * params.kernel_h;
  if (split >= params.splits) {
    return;
  }
  let row_begin = split * params.split_rows;
  let row_end = min(row_begin + params.split_rows, params.batch * params.out_h);

  var acc: array<vec4<f32>, 4u * KERNEL_W * QUADS>;
  for (var row = row_begin; row < row_end; row++) {
    let image = row / params.out_h;
    let ih = (row - image * params.out_h) * params.stride_h + kh - params.pad_h;
    // A filter row that lies in the padding meets zeros only.
    let out_w = select(0u, params.out_w, ih < params.in_h);
    for (var ow0 = 0u; ow0 < out_w; ow0 += PIXELS) {
      let left = ow0 * STRIDE_W - params.pad_w;
      let x_row = (image * params.in_h + ih) * params.in_w + left;
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
      for (var q = 0u; q < QUADS; q++) { //#unroll
        let y_at = (row * params.out_w + ow0) * params.co_quads + min(quad0 + q, params.co_quads - 1u);
        for (var g = 0u; g < PIXELS; g += 4u) { //#unroll
          var d: array<vec4<f32>, 4u>;
          for (var p = 0u; p < 4u; p++) { //#unroll
            if (RAGGED) {
              let is_inside = ow0 + g + p < params.out_w;
              d[p] = select(vec4<f32>(0.0), d_y[select(0u, y_at + (g + p) * params.co_quads, is_inside)], is_inside);
            } else {
              d[p] = d_y[y_at + (g + p) * params.co_quads];
            }
          }
          for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
            for (var i = 0u; i < 4u; i++) { //#unroll
              // One store to the accumulator: software adapters keep variables in memory and mask every store.
              acc[(kw * 4u + i) * QUADS + q] = acc[(kw * 4u + i) * QUADS + q]
                + taps[g * STEP + kw][i] * d[0u]
                + taps[(g + 1u) * STEP + kw][i] * d[1u]
                + taps[(g + 2u) * STEP + kw][i] * d[2u]
                + taps[(g + 3u) * STEP + kw][i] * d[3u];
            }
          }
        }
      }
    }
  }
  for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
    for (var i = 0u; i < 4u; i++) { //#unroll
      for (var q = 0u; q < QUADS; q++) { //#unroll
        if (quad0 + q < params.co_quads) {
          let at = (((filter_row * KERNEL_W + kw) * params.ci_quads + c) * 4u + i) * params.co_quads + quad0 + q;
          d_filter[at] = acc[(kw * 4u + i) * QUADS + q];
        }
      }
    }
  }
}
