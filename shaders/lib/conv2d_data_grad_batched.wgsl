// The data gradient that conv2d_data_grad_batched and conv2d_data_grad_batched_subgroup share; they declare knobs, Params, bindings and
// filter_block, which gives rows `at`, `at` + stride, … of four output channels as columns of a matrix. No bindings.

// Pixel p and tap kw meet in column ow = iw0/STRIDE_W + (p + PAD_W − kw)/STRIDE_W; SHIFT keeps the numerator positive.
const SHIFT: u32 = PAD_W + STRIDE_W * KERNEL_W;
const FIRST: u32 = (SHIFT - KERNEL_W + STRIDE_W) / STRIDE_W;
const COLUMNS: u32 = (PIXELS - 1u + SHIFT) / STRIDE_W - FIRST + 1u;

// One input row and channel tile for the whole workgroup, an image for each invocation: control flow is uniform.
fn gather_gradient(group: vec3<u32>, lane: u32) {
  let image = group.z * WG + lane;
  // Invocations beyond the last image repeat it and store nothing.
  let is_stored = image < params.batch;
  let source = min(image, params.batch - 1u);
  let quad0 = group.x * QUADS;
  let column_tiles = (params.in_w + PIXELS - 1u) / PIXELS;
  let row = group.y / column_tiles;
  let iw0 = (group.y - row * column_tiles) * PIXELS;
  // Column of dy of the tile's first entry; wraps below zero at the left edge.
  let left = iw0 / STRIDE_W + FIRST - KERNEL_W;
  // Taps kh = reach − oh·stride_h for rows oh of dy.
  let reach = row + params.pad_h;
  let lowest = (params.out_h - 1u) * params.stride_h;
  let kh_begin = select(reach % params.stride_h, reach - lowest, reach > lowest);
  let kh_end = min(params.kernel_h, reach + 1u);
  let out_w = params.out_w;
  let stride_h = params.stride_h;
  let ci_quads = params.ci_quads;
  let co_quads = params.co_quads;

  var acc: array<f32, PIXELS * QUADS * 4u>;
  var kh = kh_begin;
  var c = 0u;
  let turns = (max(kh_end, kh_begin) - kh_begin + stride_h - 1u) / stride_h * co_quads;
  // One loop that counts by one to a constant: docs/kernels.md, software adapters.
  for (var turn = turns; turn > 0u; turn--) {
    let y_row = (source * params.out_h + (reach - kh) / stride_h) * out_w + left;
    var taps: array<vec4<f32>, COLUMNS>;
    for (var j = 0u; j < COLUMNS; j++) { //#unroll
      if (j < EDGE_LEFT || j >= COLUMNS - EDGE_RIGHT) {
        // In a tile that spans the row these columns lie outside.
        if (!WHOLE_ROW) {
          let is_inside = left + j < out_w;
          taps[j] = kept(d_y[select(0u, (y_row + j) * co_quads + c, is_inside)], is_inside);
        }
      } else {
        taps[j] = d_y[(y_row + j) * co_quads + c];
      }
    }
    for (var q = 0u; q < QUADS; q++) { //#unroll
      // Channels beyond the last repeat it and are not stored.
      let quad = min(quad0 + q, ci_quads - 1u);
      var f: array<mat4x4<f32>, KERNEL_W>;
      for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
        f[kw] = filter_block(((kh * KERNEL_W + kw) * ci_quads + quad) * 4u * co_quads + c, co_quads, lane);
      }
      for (var p = 0u; p < PIXELS; p++) { //#unroll
        for (var i = 0u; i < 4u; i++) { //#unroll
          // One sum at a time, so that it stays in a register of the software adapter.
          var sum = acc[(p * QUADS + q) * 4u + i];
          for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
            if ((p + SHIFT - kw) % STRIDE_W == 0u) {
              if (!WHOLE_ROW || ((p + SHIFT - kw) / STRIDE_W - FIRST >= EDGE_LEFT && (p + SHIFT - kw) / STRIDE_W - FIRST < COLUMNS - EDGE_RIGHT)) {
                sum = sum + taps[(p + SHIFT - kw) / STRIDE_W - FIRST].x * f[kw][i].x;
                sum = sum + taps[(p + SHIFT - kw) / STRIDE_W - FIRST].y * f[kw][i].y;
                sum = sum + taps[(p + SHIFT - kw) / STRIDE_W - FIRST].z * f[kw][i].z;
                sum = sum + taps[(p + SHIFT - kw) / STRIDE_W - FIRST].w * f[kw][i].w;
              }
            }
          }
          acc[(p * QUADS + q) * 4u + i] = sum;
        }
      }
    }
    c++;
    let is_end = c == co_quads;
    c = select(c, 0u, is_end);
    kh += select(0u, stride_h, is_end);
  }
  for (var p = 0u; p < PIXELS; p++) { //#unroll
    for (var q = 0u; q < QUADS; q++) { //#unroll
      if (is_stored && iw0 + p < params.in_w && quad0 + q < ci_quads) {
        let at = ((source * params.in_h + row) * params.in_w + iw0 + p) * ci_quads + quad0 + q;
        var value = vec4<f32>(
          acc[(p * QUADS + q) * 4u],
          acc[(p * QUADS + q) * 4u + 1u],
          acc[(p * QUADS + q) * 4u + 2u],
          acc[(p * QUADS + q) * 4u + 3u],
        );
        if (HAS_ADDEND) {
          value += addend[at];
        }
        d_x[at] = value;
      }
    }
  }
}
