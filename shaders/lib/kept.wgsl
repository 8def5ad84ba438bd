// A value or zeros; no bindings.

// By masking bits: a quarter of the instructions that select() of a vec4 takes on software adapters.
fn kept(value: vec4<f32>, is_kept: bool) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(value) & vec4<u32>(select(0u, 0xffffffffu, is_kept)));
}
