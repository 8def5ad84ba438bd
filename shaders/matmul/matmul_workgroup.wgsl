// matmul_workgroup — Y = epilogue(scale · op(A)·op(B)), tiles of A and B staged in workgroup memory; the same products in the same
// order as matmul_register.
//
//   op(A) is A[M, K], or with TRANSPOSE_A the transpose of A stored as [K, M]
//   op(B) is B[K, N], or with TRANSPOSE_B the transpose of B stored as [N, K]
//   epilogue: + bias[N] (HAS_BIAS), + addend[M, N] (HAS_ADDEND), then max(·, 0) (RELU)
//
// Layout    a, b, y f32 row-major with leading dimensions lda, ldb, ldy and batch strides, from element a_offset, b_offset, y_offset;
//           bias from bias_offset, addend like y
// Tile      16·ROWS rows × 64 columns × 16 of K per workgroup of 16 × 16; each invocation ROWS × 4 outputs
// Dispatch  (⌈N/64⌉, ⌈M/(16·ROWS)⌉, batch)
// Knobs     ROWS 4 or 8
// Error     |Y − exact| ≤ γ_{K+3}·(|scale|·Σ|a||b| + |bias| + |addend|)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  matmul: dA = dY·op(B)ᵀ, dB = op(A)ᵀ·dY, transposed as stored
// Oracle    test/oracle/matmul.ts
// Source    the textbook shared-memory tile (e.g. Nath, Tomov & Dongarra 2010): right for discrete GPUs
const ROWS: u32 = 4u; //#knob
const TRANSPOSE_A: bool = false; //#knob
const TRANSPOSE_B: bool = false; //#knob
const HAS_BIAS: bool = false; //#knob
const HAS_ADDEND: bool = false; //#knob
const RELU: bool = false; //#knob
const TILE_M: u32 = 16u * ROWS;
const TILE_N: u32 = 64u;
const TILE_K: u32 = 16u;
struct Params {
  batch: u32, m: u32, n: u32, k: u32,
  lda: u32, ldb: u32, ldy: u32,
  a_offset: u32, b_offset: u32, y_offset: u32, addend_offset: u32, bias_offset: u32,
  a_batch_stride: u32, b_batch_stride: u32, y_batch_stride: u32,
  scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> addend: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// [k][row] and [k][column]: the inner loop reads runs of rows and of columns.
var<workgroup> a_tile: array<f32, TILE_K * TILE_M>;
var<workgroup> b_tile: array<f32, TILE_K * TILE_N>;

@compute @workgroup_size(16, 16)
fn matmul_workgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row0 = group.y * TILE_M;
  let column0 = group.x * TILE_N;
  let a_base = params.a_offset + group.z * params.a_batch_stride;
  let b_base = params.b_offset + group.z * params.b_batch_stride;

  var acc: array<vec4<f32>, ROWS>;
  for (var k0 = 0u; k0 < params.k; k0 += TILE_K) {
    // Neighbouring invocations read neighbouring addresses; entries beyond the edges are zero and add nothing.
    for (var i = 0u; i < ROWS; i++) { //#unroll
      let at = lane + i * 256u;
      let row = select(at / TILE_K, at % TILE_M, TRANSPOSE_A);
      let k = select(at % TILE_K, at / TILE_M, TRANSPOSE_A);
      var value = 0.0;
      if (row0 + row < params.m && k0 + k < params.k) {
        value = a[a_base + select((row0 + row) * params.lda + k0 + k, (k0 + k) * params.lda + row0 + row, TRANSPOSE_A)];
      }
      a_tile[k * TILE_M + row] = value;
    }
    for (var i = 0u; i < 4u; i++) { //#unroll
      let at = lane + i * 256u;
      let column = select(at % TILE_N, at / TILE_K, TRANSPOSE_B);
      let k = select(at / TILE_N, at % TILE_K, TRANSPOSE_B);
      var value = 0.0;
      if (column0 + column < params.n && k0 + k < params.k) {
        value = b[b_base + select((k0 + k) * params.ldb + column0 + column, (column0 + column) * params.ldb + k0 + k, TRANSPOSE_B)];
      }
      b_tile[k * TILE_N + column] = value;
    }
    workgroupBarrier();
    for (var k = 0u; k < TILE_K; k++) {
      let bt = k * TILE_N + local.x * 4u;
      let b_k = vec4<f32>(b_tile[bt], b_tile[bt + 1u], b_tile[bt + 2u], b_tile[bt + 3u]);
      let at = k * TILE_M + local.y * ROWS;
      for (var r = 0u; r < ROWS; r++) { //#unroll
        acc[r] += a_tile[at + r] * b_k;
      }
    }
    workgroupBarrier();
  }
  let y_batch = group.z * params.y_batch_stride;
  for (var r = 0u; r < ROWS; r++) { //#unroll
    for (var j = 0u; j < 4u; j++) { //#unroll
      let row = row0 + local.y * ROWS + r;
      let column = column0 + local.x * 4u + j;
      if (row < params.m && column < params.n) {
        let at = y_batch + row * params.ldy + column;
        var value = params.scale * acc[r][j];
        if (HAS_BIAS) {
          value += bias[params.bias_offset + column];
        }
        if (HAS_ADDEND) {
          value += addend[params.addend_offset + at];
        }
        if (RELU) {
          value = max(value, 0.0);
        }
        y[params.y_offset + at] = value;
      }
    }
  }
}
