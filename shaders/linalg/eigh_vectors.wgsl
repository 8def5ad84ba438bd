// eigh_vectors — eigenvectors as columns, in the order of the eigenvalues, from a basis that has them as rows.
//
//   vectors[k][j] = basis[source[j]][k]
//
// Layout    basis f32[batch, stride, stride] · source u32[batch, n] · vectors f32[batch, n, n]
// Dispatch  (x, y, batch) with x·y ≥ ⌈n²/WG⌉ (foldGrid)
// Knobs     WG workgroup size
// Error     exact
// Backward  not differentiated here
// Oracle    test/oracle/eighStages.ts
// Source    a gather
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { batch: u32, n: u32, stride: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> basis: array<f32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> vectors: array<f32>;

@compute @workgroup_size(WG)
fn eigh_vectors(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = params.n;
  let at = workgroup_index(group, groups) * WG + lane;
  if (at >= n * n) {
    return;
  }
  let row = source[group.z * n + at % n];
  vectors[group.z * n * n + at] = basis[(group.z * params.stride + row) * params.stride + at / n];
}
