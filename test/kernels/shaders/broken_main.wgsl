// broken_main — a mistake on line 15, behind an include and an unrolled loop. For tests only.
//#include "lib/harmless.wgsl"
override WG: u32 = 4u;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn broken_main(@builtin(local_invocation_index) lane: u32) {
  for (var i = 0u; i < 3u; i++) { //#unroll
    for (var j = 0u; j < 2u; j++) { //#unroll
      y[lane + i * 2u + j] = once(1.0);
    }
  }

  // A comment, so that the line numbers of file and code differ for whoever counts lines after removing comments.
  y[lane] = undeclared_name;
}
