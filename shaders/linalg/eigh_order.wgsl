// eigh_order — end of a blocked symmetric eigenproblem: eigenvalues sorted and scaled back, the order of their vectors, the status.
//
//   Eigenvalue i is diagonal entry i; its rank is the number of larger ones (ties keep their order).
//
// Layout    work f32[batch, stride, stride], diagonal read · state u32[batch, 4] as eigh_prepare and block_sweep_end leave it
//           partial f32[batch, parts, 2] of eigh_off_norm · values f32[batch, n] · source u32[batch, n], the index of each sorted one
//           status u32[batch, 4]: sweeps, flags, off-norm as f32 bits (relative to the Frobenius norm), 0
// Dispatch  (⌈n/WG⌉, batch, 1)
// Knobs     WG workgroup size
// Error     exact; off-norm to a few units of rounding
// Backward  not differentiated
// Oracle    test/oracle/eighStages.ts
// Source    rank sort: Knuth 1998, The Art of Computer Programming 3, §5.2 (comparison counting)
override WG: u32 = 64u;
struct Params { batch: u32, n: u32, stride: u32, parts: u32, ascending: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> work: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> partial: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> source: array<u32>;
@group(0) @binding(6) var<storage, read_write> status: array<u32>;

@compute @workgroup_size(WG)
fn eigh_order(@builtin(global_invocation_id) id: vec3<u32>) {
  let n = params.n;
  if (id.x >= n) {
    return;
  }
  let diagonal = id.y * params.stride * params.stride;
  let step = params.stride + 1u;
  let value = work[diagonal + id.x * step];
  var rank = 0u;
  for (var other = 0u; other < n; other++) {
    let rival = work[diagonal + other * step];
    rank += select(0u, 1u, rival > value || (rival == value && other < id.x));
  }
  rank = select(rank, n - 1u - rank, params.ascending != 0u);
  let grow = bitcast<f32>(clamp(state[4u * id.y + 3u] >> 23u, 2u, 252u) << 23u);
  values[id.y * n + rank] = value * grow;
  source[id.y * n + rank] = id.x;
  if (id.x == 0u) {
    var sums = vec2<f32>();
    for (var part = 0u; part < params.parts; part++) {
      sums += partial[id.y * params.parts + part];
    }
    var off_norm = 0.0;
    if (sums.y > 0.0) {
      off_norm = sqrt(sums.x) / sqrt(sums.y);
    }
    status[4u * id.y] = state[4u * id.y];
    status[4u * id.y + 1u] = state[4u * id.y + 1u];
    status[4u * id.y + 2u] = bitcast<u32>(off_norm);
    status[4u * id.y + 3u] = 0u;
  }
}
