// locally_connected_grad — cotangents of a locally connected layer: of its inputs, of its weights in partial sums, or both in one pass.
//
//   INPUT   dx[v, t, r, g, i] = Σ_o dy[v, t, r, g, o]·w[t, g, o, i], times [x > 0] with RELU
//   WEIGHT  partial[p, v, t, g, o, i] = Σ dy[v, t, r, g, o]·u[v, t, r, g, i] over the rows r ≡ p (mod parts); column fan_in: Σ dy
//   An invocation keeps all outputs × IN inputs of a node in registers and passes over every parts-th row.
//
// Layout    as local/locally_connected; x has one view that all of dy's share where x_views is 1 · partial f32[parts, views, slice], a
//           slice the weights of all trials, padded; slice ≥ trials·nodes·fan_out·(fan_in + 1)
// Dispatch  ⌈parts/WG⌉·(fan_in/IN)·views·trials·nodes workgroups, or with FLAT ⌈parts·(fan_in/IN)·views·trials·nodes/WG⌉; folded into y
// Knobs     WG; IN divides fan_in, OUT = fan_out; RELU, INPUT, WEIGHT; FLAT as in local/locally_connected
// Error     |dx − exact| ≤ γ_{fan_out}·Σ|dy||w|; |partial − exact| ≤ γ_k·Σ|dy||u|, k = ⌈rows/parts⌉   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/local.ts
// Source    chain rule; both in one pass loads x and dy once, which is worth registers where loads are dear (software adapters)
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const IN: u32 = 4u; //#knob
const OUT: u32 = 2u; //#knob
const RELU: bool = false; //#knob
const FLAT: bool = false; //#knob
const INPUT: bool = true; //#knob
const WEIGHT: bool = true; //#knob
struct Params {
  views: u32, x_views: u32, trials: u32, rows: u32, nodes: u32, fan_in: u32, fan_out: u32, parts: u32, slice: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WG)
fn locally_connected_grad(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = params.fan_in / IN;
  var rest = workgroup_index(group, groups);
  var part = 0u;
  if (FLAT) {
    let item = rest * WG + lane;
    part = item % params.parts;
    rest = item / params.parts;
  } else {
    let strips = (params.parts + WG - 1u) / WG;
    part = rest % strips * WG + lane;
    rest = rest / strips;
  }
  let first = rest % tiles * IN;
  rest = rest / tiles;
  let node = rest % params.nodes;
  rest = rest / params.nodes;
  let trial = rest % params.trials;
  let view = rest / params.trials;
  if (view >= params.views || part >= params.parts) {
    return;
  }
  let stride = params.fan_in + 1u;
  let w_base = (trial * params.nodes + node) * OUT * stride;
  let row_base = (view * params.trials + trial) * params.rows;
  let x_row_base = (min(view, params.x_views - 1u) * params.trials + trial) * params.rows;

  var weights: array<f32, IN * OUT>;
  if (INPUT) {
    for (var o = 0u; o < OUT; o++) { //#unroll
      for (var i = 0u; i < IN; i++) { //#unroll
        weights[o * IN + i] = w[w_base + o * stride + first + i];
      }
    }
  }
  var sums: array<f32, IN * OUT>;
  var bias: array<f32, OUT>;
  for (var row = part; row < params.rows; row += params.parts) {
    let at = ((row_base + row) * params.nodes + node);
    let x_at = ((x_row_base + row) * params.nodes + node) * params.fan_in + first;
    let dx_at = at * params.fan_in + first;
    var cotangents: array<f32, OUT>;
    for (var o = 0u; o < OUT; o++) { //#unroll
      cotangents[o] = dy[at * OUT + o];
      if (WEIGHT) {
        bias[o] += cotangents[o];
      }
    }
    for (var i = 0u; i < IN; i++) { //#unroll
      var value = 0.0;
      if (RELU || WEIGHT) {
        value = x[x_at + i];
      }
      if (INPUT) {
        var sum = cotangents[0] * weights[i];
        for (var o = 1u; o < OUT; o++) { //#unroll
          sum += cotangents[o] * weights[o * IN + i];
        }
        if (RELU) {
          dx[dx_at + i] = select(0.0, sum, value > 0.0);
        } else {
          dx[dx_at + i] = sum;
        }
      }
      if (WEIGHT) {
        if (RELU) {
          value = max(value, 0.0);
        }
        for (var o = 0u; o < OUT; o++) { //#unroll
          sums[o * IN + i] += cotangents[o] * value;
        }
      }
    }
  }
  if (WEIGHT) {
    let out = (part * params.views + view) * params.slice + w_base;
    for (var o = 0u; o < OUT; o++) { //#unroll
      for (var i = 0u; i < IN; i++) { //#unroll
        partial[out + o * stride + first + i] = sums[o * IN + i];
      }
      if (first == 0u) {
        partial[out + o * stride + params.fan_in] = bias[o];
      }
    }
  }
}
