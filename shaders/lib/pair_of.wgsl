// The pair that a row of [2·pairs, ·] belongs to: the remainder by `pairs` without a division, which software adapters do slowly. No bindings.
fn pair_of(rows: vec4<u32>, pairs: u32) -> vec4<u32> {
  return select(rows, rows - vec4<u32>(pairs), rows >= vec4<u32>(pairs));
}
