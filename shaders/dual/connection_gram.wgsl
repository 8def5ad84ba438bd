// connection_gram — inner products of all connections from those of their two factors.
//
//   K_i = f_i ⊗ J_iᵀ, hence ⟨K_i^o, K_j^p⟩ = (J_i^o · J_j^p)·(f_i · f_j):  y[(o, i), (p, j)] = jj[(o, i), (p, j)] · ff[i, j]
//
// Layout    jj, y f32[outputs·samples, outputs·samples] row-major, read as vec4 · ff f32[samples, samples]; buffers padded to 16 bytes
// Dispatch  ⌈(outputs·samples)² / (4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     |y − exact| ≤ γ_1·|y|   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/connectionGram.ts
// Source    mixed-product property of the Kronecker product; connections: Tian et al. 2020 (arXiv 2010.00578v6)
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { outputs: u32, samples: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> jj: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> ff: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

fn ff_at(index: u32, order: u32) -> f32 {
  let i = (index / order) % params.samples;
  let j = (index % order) % params.samples;
  return ff[i * params.samples + j];
}

@compute @workgroup_size(WG)
fn connection_gram(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quad = workgroup_index(group, groups) * WG + lane;
  let order = params.outputs * params.samples;
  let count = order * order;
  if (quad < (count + 3u) / 4u) {
    // Elements of the last quad beyond the end repeat the last one and are ignored.
    let last = count - 1u;
    let at = 4u * quad;
    let right = vec4<f32>(
      ff_at(at, order),
      ff_at(min(at + 1u, last), order),
      ff_at(min(at + 2u, last), order),
      ff_at(min(at + 3u, last), order),
    );
    y[quad] = jj[quad] * right;
  }
}
