// broken_include — includes a file with a mistake. For tests only.
override WG: u32 = 4u;
//#include "lib/undeclared.wgsl"
@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn broken_include(@builtin(local_invocation_index) lane: u32) {
  for (var i = 0u; i < 2u; i++) { //#unroll
    y[lane + i] = twice(1.0);
  }
}
