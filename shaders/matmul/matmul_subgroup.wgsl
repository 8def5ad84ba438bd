// matmul_subgroup — Y = epilogue(scale · op(A)·op(B)), each invocation ROWS × 4·QUADS in registers, B loaded once for every four invocations.
//
//   op(A) is A[M, K], or with TRANSPOSE_A the transpose of A stored as [K, M]
//   op(B) is B[K, N], or with TRANSPOSE_B the transpose of B stored as [N, K]
//   epilogue: + bias[N] (HAS_BIAS), + addend[M, N] (HAS_ADDEND), then max(·, 0) (RELU)
//
// Layout    a, b, y f32 row-major with leading dimensions lda, ldb, ldy and batch strides, from element a_offset, b_offset, y_offset; bias from
//           bias_offset, addend like y; all read and written as vec4: N, K, offsets, leading dimensions and batch strides are multiples of
//           4, with TRANSPOSE_A M and ROWS, too
// Dispatch  (⌈N/(4·QUADS)⌉, ⌈M/(ROWS·WG)⌉, batch); a workgroup has one tile of columns, an invocation ROWS rows
// Knobs     ROWS, QUADS: the tile; STEPS: K advances by 4·STEPS, a divisor of K; WG a multiple of 4; TRANSPOSE_A, TRANSPOSE_B, HAS_BIAS,
//           HAS_ADDEND, RELU
// Error     as matmul_register, and the same bits: |Y − exact| ≤ γ_{K+3}·(|scale|·Σ|a||b| + |bias| + |addend|)   (γ_k = k·u/(1−k·u),
//           u = 2⁻²⁴)
// Backward  matmul: dA = dY·op(B)ᵀ, dB = op(A)ᵀ·dY, transposed as stored
// Oracle    test/oracle/matmul.ts
// Source    register tiling (Volkov & Demmel 2008); a load of one lane costs as much as a load of four on software adapters
enable subgroups;
override WG: u32 = 16u;
const ROWS: u32 = 8u; //#knob
const QUADS: u32 = 2u; //#knob
const STEPS: u32 = 1u; //#knob
const TRANSPOSE_A: bool = false; //#knob
const TRANSPOSE_B: bool = false; //#knob
const HAS_BIAS: bool = false; //#knob
const HAS_ADDEND: bool = false; //#knob
const RELU: bool = false; //#knob
struct Params {
  batch: u32, m: u32, n: u32, k: u32,
  lda: u32, ldb: u32, ldy: u32,
  a_offset: u32, b_offset: u32, y_offset: u32, addend_offset: u32, bias_offset: u32,
  a_batch_stride: u32, b_batch_stride: u32, y_batch_stride: u32,
  scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn matmul_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // All positions are in vec4.
  let part = lane & 3u;
  let row0 = (group.y * WG + lane) * ROWS;
  let quad0 = group.x * QUADS;
  let n_quads = params.n / 4u;
  let lda = params.lda / 4u;
  let ldb = params.ldb / 4u;
  let a_base = (params.a_offset + group.z * params.a_batch_stride) / 4u;
  let b_base = (params.b_offset + group.z * params.b_batch_stride) / 4u;
  // Rows and columns beyond the edge repeat the last one and are not stored. Of the four rows or columns of a block of B an invocation
  // loads one.
  var a_at: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { //#unroll
    if (TRANSPOSE_A) {
      a_at[r] = a_base + min(row0 + r, params.m - 1u) / 4u;
    } else {
      a_at[r] = a_base + min(row0 + r, params.m - 1u) * lda;
    }
  }
  var b_at: array<u32, QUADS>;
  for (var q = 0u; q < QUADS; q++) { //#unroll
    let quad = min(quad0 + q, n_quads - 1u);
    if (TRANSPOSE_B) {
      b_at[q] = b_base + (4u * quad + part) * ldb;
    } else {
      b_at[q] = b_base + part * ldb + quad;
    }
  }

  var acc: array<f32, ROWS * QUADS * 4u>;
  var k_quad = 0u;
  // One loop that counts by one to a constant: docs/kernels.md, software adapters.
  for (var turn = params.k / (4u * STEPS); turn > 0u; turn--) {
    for (var step = 0u; step < STEPS; step++) { //#unroll
      let k = k_quad + step;
      // Rows of op(A), four k each.
      var a_rows: array<vec4<f32>, ROWS>;
      for (var r = 0u; r < ROWS; r++) { //#unroll
        if (!TRANSPOSE_A) {
          a_rows[r] = a[a_at[r] + k];
        } else {
          if (r % 4u == 0u) {
            let k0 = a[a_at[r] + 4u * k * lda];
            let k1 = a[a_at[r] + (4u * k + 1u) * lda];
            let k2 = a[a_at[r] + (4u * k + 2u) * lda];
            let k3 = a[a_at[r] + (4u * k + 3u) * lda];
            a_rows[r] = vec4<f32>(k0.x, k1.x, k2.x, k3.x);
            a_rows[r + 1u] = vec4<f32>(k0.y, k1.y, k2.y, k3.y);
            a_rows[r + 2u] = vec4<f32>(k0.z, k1.z, k2.z, k3.z);
            a_rows[r + 3u] = vec4<f32>(k0.w, k1.w, k2.w, k3.w);
          }
        }
      }
      for (var q = 0u; q < QUADS; q++) { //#unroll
        var own: vec4<f32>;
        if (TRANSPOSE_B) {
          own = b[b_at[q] + k];
        } else {
          own = b[b_at[q] + 4u * k * ldb];
        }
        let rows_of_b = mat4x4<f32>(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
        for (var r = 0u; r < ROWS; r++) { //#unroll
          for (var i = 0u; i < 4u; i++) { //#unroll
            // One sum at a time, so that it stays in a register of the software adapter.
            var sum = acc[(r * QUADS + q) * 4u + i];
            if (TRANSPOSE_B) {
              sum = sum + a_rows[r].x * rows_of_b[i].x;
              sum = sum + a_rows[r].y * rows_of_b[i].y;
              sum = sum + a_rows[r].z * rows_of_b[i].z;
              sum = sum + a_rows[r].w * rows_of_b[i].w;
            } else {
              sum = sum + a_rows[r].x * rows_of_b[0][i];
              sum = sum + a_rows[r].y * rows_of_b[1][i];
              sum = sum + a_rows[r].z * rows_of_b[2][i];
              sum = sum + a_rows[r].w * rows_of_b[3][i];
            }
            acc[(r * QUADS + q) * 4u + i] = sum;
          }
        }
      }
    }
    k_quad += STEPS;
  }
  let ldy = params.ldy / 4u;
  let y_batch = group.z * params.y_batch_stride / 4u;
  for (var r = 0u; r < ROWS; r++) { //#unroll
    for (var q = 0u; q < QUADS; q++) { //#unroll
      if (row0 + r < params.m && quad0 + q < n_quads) {
        let at = y_batch + (row0 + r) * ldy + quad0 + q;
        var value = params.scale * vec4<f32>(
          acc[(r * QUADS + q) * 4u],
          acc[(r * QUADS + q) * 4u + 1u],
          acc[(r * QUADS + q) * 4u + 2u],
          acc[(r * QUADS + q) * 4u + 3u],
        );
        if (HAS_BIAS) {
          value += bias[params.bias_offset / 4u + quad0 + q];
        }
        if (HAS_ADDEND) {
          value += addend[params.addend_offset / 4u + at];
        }
        if (RELU) {
          value = max(value, vec4<f32>(0.0));
        }
        y[params.y_offset / 4u + at] = value;
      }
    }
  }
}
