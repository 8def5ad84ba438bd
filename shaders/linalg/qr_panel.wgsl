// qr_panel — Householder QR of sixteen columns, from row `first` on, by one workgroup: step one of a step of blocked QR.
//
//   work[first …, first … first + 15] = (I - Y T Yᵀ) [R; 0]. Y replaces the columns (unit diagonal, zeros above it), R's rows go to x.
//
// Layout    work f32[batch, rows, 4·quads] in place · t f32[batch, panels, 16, 16], column k of T at [k]
//           x f32[batch, x_count, 4·x_quads]: rows first … first + 15 below `count`: zeros up to the diagonal, R up to the panel's last column, zeros
// Dispatch  (batch, 1, 1); one workgroup per matrix
// Knobs     WG workgroup size, GROUPS lanes side by side over the four strips (4), STRIPES = WG / GROUPS lanes sharing a strip's rows
// Error     column-wise backward stable: Higham 2002, theorem 19.4; measured in test/kernels/qr.test.ts
// Backward  not differentiated here
// Oracle    test/oracle/qr.ts
// Source    Schreiber & Van Loan 1989 (compact WY); Golub & Van Loan 2013, Matrix Computations, §5.2.3
override WG: u32 = 64u;
override GROUPS: u32 = 4u;
override STRIPES: u32 = 16u;
struct Params { batch: u32, rows: u32, quads: u32, first: u32, panels: u32, count: u32, x_count: u32, x_quads: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> t: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> x: array<vec4<f32>>;
//#include "lib/householder.wgsl"

// Blocks of four by four of T at [block row + 4·block column], and Vᵀ of earlier strips times the present one.
var<workgroup> t_blocks: array<mat4x4<f32>, 16>;
var<workgroup> earlier_products: array<mat4x4<f32>, 4>;

@compute @workgroup_size(WG)
fn qr_panel(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let rows = params.rows;
  let quads = params.quads;
  let first = params.first;
  let base = group.x * rows * quads;
  let panel = base + first / 4u;
  let member = lane % GROUPS;
  for (var strip = 0u; strip < 4u; strip++) {
    let at = panel + strip;
    let diagonal = first + 4u * strip;
    let strip_t = factor_strip(at, quads, diagonal, rows, lane);
    storageBarrier();
    let w = strip_products(at, panel + member, quads, diagonal, rows, lane) * strip_t;
    if (member > strip) {
      strip_update(at, panel + member, quads, diagonal, rows, w, lane);
    } else if (lane < strip) {
      earlier_products[lane] = w;
    }
    workgroupBarrier();
    storageBarrier();
    if (lane < 4u) {
      var corner = mat4x4<f32>();
      for (var other = lane; other < strip; other++) {
        corner = corner - t_blocks[lane + 4u * other] * earlier_products[other];
      }
      if (lane == strip) {
        corner = strip_t;
      }
      t_blocks[lane + 4u * strip] = corner;
    }
    workgroupBarrier();
  }
  let words = (group.x * params.panels + first / 16u) * 64u;
  for (var at = lane; at < 64u; at += WG) {
    t[words + at] = t_blocks[at % 4u + 4u * (at / 16u)][(at / 4u) % 4u];
  }
  // Columns to the right are zero until qr_update writes them; those that the matrix does not have remain so.
  let panel_quads = max(first / 4u + 4u, params.x_quads);
  let block_entries = 16u * panel_quads;
  for (var at = lane; at < block_entries; at += WG) {
    let row = at / panel_quads;
    let quad = at % panel_quads;
    var kept = vec4<f32>();
    if (quad >= first / 4u && quad < first / 4u + 4u) {
      let column = 4u * quad - first;
      let place = base + (first + row) * quads + quad;
      let stored = work[place];
      let columns = vec4<u32>(column) + COLUMN_INDEX;
      kept = select(vec4<f32>(), stored, columns >= vec4<u32>(row));
      let below = select(vec4<f32>(), stored, columns < vec4<u32>(row));
      work[place] = select(below, vec4<f32>(1.0), columns == vec4<u32>(row));
    }
    if (first + row < params.count && quad < params.x_quads) {
      x[(group.x * params.x_count + first + row) * params.x_quads + quad] = kept;
    }
  }
}
