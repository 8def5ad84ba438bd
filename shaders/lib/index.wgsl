// Index helpers shared by all kernels; no bindings. Twin of src/kernels/grid.ts.

// Position of a workgroup in a one-dimensional grid that foldGrid() may have folded into y.
fn workgroup_index(id: vec3<u32>, count: vec3<u32>) -> u32 {
  return id.x + id.y * count.x;
}
