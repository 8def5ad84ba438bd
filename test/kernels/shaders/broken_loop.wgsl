// broken_loop — a mistake on line 9, inside a nested unrolled loop. For tests only.
//#include "lib/harmless.wgsl"
@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn broken_loop() {
  for (var i = 0u; i < 3u; i++) { //#unroll
    for (var j = 0u; j < 2u; j++) { //#unroll
      y[i * 2u + j] = once(1u);
    }
  }
}
