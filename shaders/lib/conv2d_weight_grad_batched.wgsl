// The weight gradient that conv2d_weight_grad_batched and conv2d_weight_grad_batched_subgroup share; they declare knobs, Params, bindings
// and pixel_block, which gives four channels of four pixels from a row of dy as columns of a matrix. No bindings.
const COLUMNS: u32 = (PIXELS - 1u) * STEP + KERNEL_W;

// One part of the rows and one channel tile of dy for the whole workgroup, a filter row and four input channels for each invocation:
// control flow is uniform.
fn sum_pixels(group: vec3<u32>, lane: u32) {
  let item = group.x * WG + lane;
  let ci_quads = params.ci_quads;
  let co_quads = params.co_quads;
  // Invocations beyond the last filter row repeat it and store nothing.
  let is_stored = item < params.kernel_h * ci_quads;
  let own = min(item, params.kernel_h * ci_quads - 1u);
  let kh = own / ci_quads;
  let c = own - kh * ci_quads;
  let quad0 = group.y * QUADS;
  let split = group.z;
  let in_h = params.in_h;
  let in_w = params.in_w;
  let out_h = params.out_h;
  let out_w = params.out_w;
  let row_begin = split * params.split_rows;
  let row_end = min(row_begin + params.split_rows, params.batch * out_h);
  let strips = (out_w + PIXELS - 1u) / PIXELS;

  var acc: array<f32, 16u * KERNEL_W * QUADS>;
  var row = row_begin;
  var strip = 0u;
  let turns = (max(row_end, row_begin) - row_begin + ROWS - 1u) / ROWS * strips;
  // One loop that counts by one to a constant: docs/kernels.md, software adapters.
  for (var turn = turns; turn > 0u; turn--) {
    let ow0 = strip * PIXELS;
    let left = ow0 * STRIDE_W - params.pad_w;
    var taps: array<vec4<f32>, ROWS * COLUMNS>;
    for (var r = 0u; r < ROWS; r++) { //#unroll
      let own_row = min(row + r, row_end - 1u);
      let image = own_row / out_h;
      let ih = (own_row - image * out_h) * params.stride_h + kh - params.pad_h;
      // A filter row that lies in the padding meets zeros only, as does a row beyond the part's last one.
      let is_row = ih < in_h && row + r < row_end;
      let x_row = (image * in_h + select(0u, ih, is_row)) * in_w + left;
      for (var j = 0u; j < COLUMNS; j++) { //#unroll
        if (j < EDGE_LEFT || j >= COLUMNS - EDGE_RIGHT) {
          // In a strip that spans the row these columns are padding.
          if (!WHOLE_ROW) {
            let is_inside = is_row && left + (j / STEP) * STRIDE_W + j % STEP < in_w;
            let at = (x_row + (j / STEP) * STRIDE_W + j % STEP) * ci_quads + c;
            taps[r * COLUMNS + j] = kept(x[select(0u, at, is_inside)], is_inside);
          }
        } else {
          taps[r * COLUMNS + j] = kept(x[(x_row + (j / STEP) * STRIDE_W + j % STEP) * ci_quads + c], is_row);
        }
      }
    }
    for (var q = 0u; q < QUADS; q++) { //#unroll
      // Channels beyond the last repeat it and are not stored.
      let quad = min(quad0 + q, co_quads - 1u);
      var d: array<mat4x4<f32>, ROWS * ((PIXELS + 3u) / 4u)>;
      for (var r = 0u; r < ROWS; r++) { //#unroll
        for (var g = 0u; g < (PIXELS + 3u) / 4u; g++) { //#unroll
          d[r * ((PIXELS + 3u) / 4u) + g] = pixel_block(min(row + r, row_end - 1u) * out_w, ow0 + 4u * g, quad, lane);
        }
      }
      for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
        for (var i = 0u; i < 4u; i++) { //#unroll
          for (var k = 0u; k < 4u; k++) { //#unroll
            // One sum at a time, so that it stays in a register of the software adapter.
            var sum = acc[((kw * 4u + i) * QUADS + q) * 4u + k];
            for (var r = 0u; r < ROWS; r++) { //#unroll
              for (var p = 0u; p < PIXELS; p++) { //#unroll
                if (!WHOLE_ROW || (p * STEP + kw >= EDGE_LEFT && p * STEP + kw < COLUMNS - EDGE_RIGHT)) {
                  sum = sum + taps[r * COLUMNS + p * STEP + kw][i] * d[r * ((PIXELS + 3u) / 4u) + p / 4u][p % 4u][k];
                }
              }
            }
            acc[((kw * 4u + i) * QUADS + q) * 4u + k] = sum;
          }
        }
      }
    }
    strip++;
    let is_end = strip == strips;
    strip = select(strip, 0u, is_end);
    row += select(0u, ROWS, is_end);
  }
  for (var kw = 0u; kw < KERNEL_W; kw++) { //#unroll
    for (var i = 0u; i < 4u; i++) { //#unroll
      for (var q = 0u; q < QUADS; q++) { //#unroll
        if (is_stored && quad0 + q < co_quads) {
          let at = ((((split * params.kernel_h + kh) * KERNEL_W + kw) * ci_quads + c) * 4u + i) * co_quads + quad0 + q;
          d_filter[at] = vec4<f32>(
            acc[((kw * 4u + i) * QUADS + q) * 4u],
            acc[((kw * 4u + i) * QUADS + q) * 4u + 1u],
            acc[((kw * 4u + i) * QUADS + q) * 4u + 2u],
            acc[((kw * 4u + i) * QUADS + q) * 4u + 3u],
          );
        }
      }
    }
  }
}
