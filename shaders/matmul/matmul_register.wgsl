// matmul_register — Y = epilogue(scale · op(A)·op(B)), each invocation an ROWS × 4·QUADS tile in registers; no workgroup memory.
//
//   op(A) is A[M, K], or with TRANSPOSE_A the transpose of A stored as [K, M]
//   op(B) is B[K, N], or with TRANSPOSE_B the transpose of B stored as [N, K]
//   epilogue: + bias[N] (HAS_BIAS), + addend[M, N] (HAS_ADDEND), then max(·, 0) (RELU)
//
// Layout    a, b, y f32 row-major with leading dimensions lda, ldb, ldy and batch strides, from element a_offset, b_offset, y_offset;
//           bias from bias_offset, addend like y. a and b are read as vec4 where A_ALIGNED, B_ALIGNED (offset, leading dimension,
//           batch stride and the contiguous extent all multiples of 4), otherwise by component; every buffer is padded to 16 bytes.
// Dispatch  (⌈N/(4·QUADS·WG_X)⌉, ⌈M/(ROWS·WG_Y)⌉, batch)
// Knobs     ROWS (a multiple of 4 with TRANSPOSE_A and A_ALIGNED), QUADS, WG_X, WG_Y; K advances by 4; REMAINDER: K is no multiple of 4
// Error     |Y − exact| ≤ γ_{K+3}·(|scale|·Σ|a||b| + |bias| + |addend|)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  matmul: dA = dY·op(B)ᵀ, dB = op(A)ᵀ·dY, transposed as stored
// Oracle    test/oracle/matmul.ts
// Source    register tiling without barriers: right for software adapters and GPUs with good caches
override WG_X: u32 = 8u;
override WG_Y: u32 = 8u;
const ROWS: u32 = 8u; //#knob
const QUADS: u32 = 1u; //#knob
const TRANSPOSE_A: bool = false; //#knob
const TRANSPOSE_B: bool = false; //#knob
const A_ALIGNED: bool = false; //#knob
const B_ALIGNED: bool = false; //#knob
const REMAINDER: bool = true; //#knob
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
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> addend: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn a_scalar(at: u32) -> f32 {
  return a[at >> 2u][at & 3u];
}

fn b_scalar(at: u32) -> f32 {
  return b[at >> 2u][at & 3u];
}

// Four consecutive elements.
fn b_run(at: u32) -> vec4<f32> {
  if (B_ALIGNED) {
    return b[at >> 2u];
  } else {
    return vec4<f32>(b_scalar(at), b_scalar(at + 1u), b_scalar(at + 2u), b_scalar(at + 3u));
  }
}

// Four columns of one row of an untransposed B. Where N is a multiple of 4 they are consecutive, or all beyond the edge and not stored.
fn b_row(columns: vec4<u32>) -> vec4<f32> {
  if (B_ALIGNED) {
    return b[columns.x >> 2u];
  } else {
    return vec4<f32>(b_scalar(columns.x), b_scalar(columns.y), b_scalar(columns.z), b_scalar(columns.w));
  }
}

@compute @workgroup_size(WG_X, WG_Y)
fn matmul_register(@builtin(global_invocation_id) id: vec3<u32>) {
  let row0 = id.y * ROWS;
  let column0 = id.x * (4u * QUADS);
  if (row0 >= params.m || column0 >= params.n) {
    return;
  }
  let a_base = params.a_offset + id.z * params.a_batch_stride;
  let b_base = params.b_offset + id.z * params.b_batch_stride;

  // First element of each row of op(A) and each column of op(B) at k = 0, and what one k adds to it. Rows and columns beyond the edge
  // repeat the last one and are not stored.
  let a_step = select(1u, params.lda, TRANSPOSE_A);
  let b_step = select(params.ldb, 1u, TRANSPOSE_B);
  var a_start: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { //#unroll
    a_start[r] = a_base + min(row0 + r, params.m - 1u) * select(params.lda, 1u, TRANSPOSE_A);
  }
  var b_start: array<u32, 4u * QUADS>;
  for (var j = 0u; j < 4u * QUADS; j++) { //#unroll
    b_start[j] = b_base + min(column0 + j, params.n - 1u) * select(1u, params.ldb, TRANSPOSE_B);
  }

  var acc: array<f32, ROWS * QUADS * 4u>;
  var k = 0u;
  // Loops that count by one to a constant: docs/kernels.md, software adapters.
  for (var turn = params.k / 4u; turn > 0u; turn--) {
    // Entries of the rows of op(A) for four values of k.
    var a_rows: array<vec4<f32>, ROWS>;
    let a_k = k * a_step;
    if (TRANSPOSE_A && A_ALIGNED) {
      for (var g = 0u; g < ROWS / 4u; g++) { //#unroll
        // M is a multiple of 4 here, so a group of four rows lies inside or outside as a whole; outside it repeats the last group.
        let at = min(a_start[g * 4u], a_base + params.m - 4u) + a_k;
        let k0 = a[at >> 2u];
        let k1 = a[(at + params.lda) >> 2u];
        let k2 = a[(at + 2u * params.lda) >> 2u];
        let k3 = a[(at + 3u * params.lda) >> 2u];
        a_rows[g * 4u] = vec4<f32>(k0.x, k1.x, k2.x, k3.x);
        a_rows[g * 4u + 1u] = vec4<f32>(k0.y, k1.y, k2.y, k3.y);
        a_rows[g * 4u + 2u] = vec4<f32>(k0.z, k1.z, k2.z, k3.z);
        a_rows[g * 4u + 3u] = vec4<f32>(k0.w, k1.w, k2.w, k3.w);
      }
    } else {
      for (var r = 0u; r < ROWS; r++) { //#unroll
        let at = a_start[r] + a_k;
        if (A_ALIGNED) {
          a_rows[r] = a[at >> 2u];
        } else {
          a_rows[r] = vec4<f32>(a_scalar(at), a_scalar(at + a_step), a_scalar(at + 2u * a_step), a_scalar(at + 3u * a_step));
        }
      }
    }
    let b_k = k * b_step;
    for (var q = 0u; q < QUADS; q++) { //#unroll
      // Rows k … k + 3 of op(B), four columns each.
      var b0: vec4<f32>;
      var b1: vec4<f32>;
      var b2: vec4<f32>;
      var b3: vec4<f32>;
      if (TRANSPOSE_B) {
        let n0 = b_run(b_start[q * 4u] + b_k);
        let n1 = b_run(b_start[q * 4u + 1u] + b_k);
        let n2 = b_run(b_start[q * 4u + 2u] + b_k);
        let n3 = b_run(b_start[q * 4u + 3u] + b_k);
        b0 = vec4<f32>(n0.x, n1.x, n2.x, n3.x);
        b1 = vec4<f32>(n0.y, n1.y, n2.y, n3.y);
        b2 = vec4<f32>(n0.z, n1.z, n2.z, n3.z);
        b3 = vec4<f32>(n0.w, n1.w, n2.w, n3.w);
      } else {
        let columns = vec4<u32>(b_start[q * 4u], b_start[q * 4u + 1u], b_start[q * 4u + 2u], b_start[q * 4u + 3u]) + vec4<u32>(b_k);
        b0 = b_row(columns);
        b1 = b_row(columns + vec4<u32>(params.ldb));
        b2 = b_row(columns + vec4<u32>(2u * params.ldb));
        b3 = b_row(columns + vec4<u32>(3u * params.ldb));
      }
      for (var r = 0u; r < ROWS; r++) { //#unroll
        for (var j = 0u; j < 4u; j++) { //#unroll
          // One sum at a time, so that it stays in a register of software adapters.
          var sum = acc[(r * QUADS + q) * 4u + j];
          sum = sum + a_rows[r].x * b0[j];
          sum = sum + a_rows[r].y * b1[j];
          sum = sum + a_rows[r].z * b2[j];
          sum = sum + a_rows[r].w * b3[j];
          acc[(r * QUADS + q) * 4u + j] = sum;
        }
      }
    }
    k += 4u;
  }
  if (REMAINDER) {
    for (var turn = params.k & 3u; turn > 0u; turn--) {
      for (var q = 0u; q < QUADS; q++) { //#unroll
        let b_k = vec4<f32>(
          b_scalar(b_start[q * 4u] + k * b_step),
          b_scalar(b_start[q * 4u + 1u] + k * b_step),
          b_scalar(b_start[q * 4u + 2u] + k * b_step),
          b_scalar(b_start[q * 4u + 3u] + k * b_step),
        );
        for (var r = 0u; r < ROWS; r++) { //#unroll
          let a_k = a_scalar(a_start[r] + k * a_step);
          for (var j = 0u; j < 4u; j++) { //#unroll
            acc[(r * QUADS + q) * 4u + j] = acc[(r * QUADS + q) * 4u + j] + a_k * b_k[j];
          }
        }
      }
      k++;
    }
  }
  let y_batch = id.z * params.y_batch_stride;
  for (var r = 0u; r < ROWS; r++) { //#unroll
    for (var q = 0u; q < QUADS; q++) { //#unroll
      for (var j = 0u; j < 4u; j++) { //#unroll
        let row = row0 + r;
        let column = column0 + q * 4u + j;
        if (row < params.m && column < params.n) {
          let at = y_batch + row * params.ldy + column;
          var value = params.scale * acc[(r * QUADS + q) * 4u + j];
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
}
