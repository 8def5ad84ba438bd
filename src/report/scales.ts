/** Both scalings that a page's switches choose from. */
export const SCALES = ["log", "linear"] as const;
export const SCALE_NAMES = { log: "logarithmic", linear: "linear" } as const;
