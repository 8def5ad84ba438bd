// Shaders of an application that has nothing to do with this library, around whose dispatches a plan is encoded.
//
// `fill` makes symmetric matrices, `consume` adds the eigenvalues that somebody found. Both entry points have the one layout.
struct Size { n: u32, batch: u32 }
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read_write> matrices: array<f32>;
@group(0) @binding(2) var<storage, read_write> eigenvalues: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

// Matrix g: (g + 1)·(i + 1)/n on the diagonal, so that its trace is (g + 1)(n + 1)/2.
@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
  let n = size.n;
  if (id.x >= size.batch * n * n) {
    return;
  }
  let g = id.x / (n * n);
  let i = id.x / n % n;
  let j = id.x % n;
  let low = min(i, j);
  let high = max(i, j);
  let wave = f32((high * 7u + low * 13u + g) % 11u) / 11.0 - 0.5;
  matrices[id.x] = select(wave, f32((g + 1u) * (i + 1u)) / f32(n), i == j);
}

@compute @workgroup_size(1)
fn consume(@builtin(global_invocation_id) id: vec3<u32>) {
  var sum = 0.0;
  for (var i = 0u; i < size.n; i++) {
    sum += eigenvalues[id.x * size.n + i];
  }
  sums[id.x] = sum;
}
