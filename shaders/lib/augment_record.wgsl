// What augment_draw writes for each (view, image) and the other kernels of shaders/augment read: positions in a record of f32.
// Twin of src/augment/draws.ts.
const DRAW_TOP: u32 = 0u;             // upper left corner of the crop, in pixels of the source
const DRAW_LEFT: u32 = 1u;
const DRAW_HEIGHT: u32 = 2u;          // its size
const DRAW_WIDTH: u32 = 3u;
const DRAW_FLIP: u32 = 4u;            // 0 or 1
const DRAW_JITTER: u32 = 5u;          // 0 or 1: whether colours change; the factors are 1, 1, 1, 0 when not
const DRAW_BRIGHTNESS: u32 = 6u;
const DRAW_CONTRAST: u32 = 7u;
const DRAW_SATURATION: u32 = 8u;
const DRAW_HUE: u32 = 9u;             // in turns
const DRAW_ORDER: u32 = 10u;          // four operations of two bits, the first in the lowest
const DRAW_GRAY: u32 = 11u;           // 0 or 1
const DRAW_SIGMA: u32 = 12u;          // of the blur, in pixels of the result; 0 when there is none
const DRAW_TAPS: u32 = 13u;           // weights of the blur beside the middle one; 0 when there is none
const DRAW_SOLARIZE: u32 = 14u;       // threshold; 2 (never reached) when there is none
const DRAW_WEIGHTS: u32 = 16u;        // weights of the blur, the middle one first

// Codes of the colour operations in DRAW_ORDER.
const ADJUST_BRIGHTNESS: u32 = 0u;
const ADJUST_CONTRAST: u32 = 1u;
const ADJUST_SATURATION: u32 = 2u;
const ADJUST_HUE: u32 = 3u;
