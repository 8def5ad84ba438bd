// The convolution that conv2d_batched and conv2d_batched_subgroup share; they declare knobs, Params, bindings and filter_block, which
// gives rows `at`, `at` + stride, … of four output channels as columns of a matrix. No bindings.
const COLUMNS: u32 = (PIXELS - 1u) * STEP + KERNEL_W;

// One output row and channel tile for the whole workgroup, an image for each invocation: control flow is uniform.
fn convolve(group: vec3<u32>, lane: u32) {
  let image = group.z * WG + lane;
  // Invocations beyond the last image repeat it and store nothing.
  let is_stored = image < params.batch;
  let source = min(image, params.batch - 1u);
  let quad0 = group.x * QUADS;
  let column_tiles = (params.out_w + PIXELS - 1u) / PIXELS;
  let row = group.y / column_tiles;
  let ow0 = (group.y - row * column_tiles) * PIXELS;
  // First input row and column of the tile, counted from the padded border; below the border's width they lie outside.
  let top = row * params.stride_h;
  let left = ow0 * STRIDE_W - params.pad_w;
  let bottom = params.in_h + params.pad_h;
  let kh_begin = select(0u, params.pad_h - top, top < params.pad_h);
  let kh_end = min(params.kernel_h, select(0u, bottom - top, top < bottom));
  let in_w = params.in_w;
  let ci_quads = params.ci_quads;
  let co_quads = params.co_quads;

  var acc: array<f32, PIXELS * QUADS * 4u>;
  var kh = kh_begin;
  var c = 0u;
  let turns = (max(kh_end, kh_begin) - kh_begin) * ci_quads;
  // One loop that counts by one to a constant: docs/kernels.md, software adapters.
  for (var turn = turns; turn > 0u; turn--) {
    let x_row = (source * params.in_h + top + kh - params.pad_h) * in_w + left;
    var taps: array<vec4<f32>, COLUMNS>;
    for (var j = 0u; j < COLUMNS; j++) { //#unroll
      if (j < EDGE_LEFT || j >= COLUMNS - EDGE_RIGHT) {
        // In a tile that spans the row these columns are padding.
        if (!WHOLE_ROW) {
          let is_inside = left + (j / STEP) * STRIDE_W + j % STEP < in_w;
          let at = (x_row + (j / STEP) * STRIDE_W + j % STEP) * ci_quads + c;
          taps[j] = kept(x[select(0u, at, is_inside)], is_inside);
        }
      } else {
        taps[j] = x[(x_row + (j / STEP) * STRIDE_W + j % STEP) * ci_quads + c];
      }
    }
    for (var q = 0u; q < QUADS; q++) { //#unroll
      // Channels beyond the last repeat it and are not stored.
      let quad = min(quad0 + q, co_quads - 1u);
      var f: array<mat4x4<f32>, KERNEL_W>;
      for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
        f[kw] = filter_block(((kh * KERNEL_W + kw) * ci_quads + c) * 4u * co_quads + quad, co_quads, lane);
      }
      for (var p = 0u; p < PIXELS; p++) { //#unroll
        for (var i = 0u; i < 4u; i++) { //#unroll
          // One sum at a time, so that it stays in a register of the software adapter.
          var sum = acc[(p * QUADS + q) * 4u + i];
          for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
            if (!WHOLE_ROW || (p * STEP + kw >= EDGE_LEFT && p * STEP + kw < COLUMNS - EDGE_RIGHT)) {
              sum = sum + taps[p * STEP + kw].x * f[kw][0][i];
              sum = sum + taps[p * STEP + kw].y * f[kw][1][i];
              sum = sum + taps[p * STEP + kw].z * f[kw][2][i];
              sum = sum + taps[p * STEP + kw].w * f[kw][3][i];
            }
          }
          acc[(p * QUADS + q) * 4u + i] = sum;
        }
      }
    }
    c++;
    let is_end = c == ci_quads;
    c = select(c, 0u, is_end);
    kh += select(0u, 1u, is_end);
  }
  for (var p = 0u; p < PIXELS; p++) { //#unroll
    for (var q = 0u; q < QUADS; q++) { //#unroll
      if (is_stored && ow0 + p < params.out_w && quad0 + q < co_quads) {
        let at = ((source * params.out_h + row) * params.out_w + ow0 + p) * co_quads + quad0 + q;
        var value = vec4<f32>(
          acc[(p * QUADS + q) * 4u],
          acc[(p * QUADS + q) * 4u + 1u],
          acc[(p * QUADS + q) * 4u + 2u],
          acc[(p * QUADS + q) * 4u + 3u],
        );
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
