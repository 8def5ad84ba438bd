/** What `eigenstep views` executes in a runtime: draws views as training does and hands a contact sheet over as PNG. */
import type { DataFolder } from "../../data/byteSource.ts";
import type { Engine } from "../../device/engine.ts";
import type { RunSink } from "../../experiments/contract.ts";
import type { NetworkConfig } from "../../experiments/network/config.ts";
import { contactSheet, firstViews, type ImageViews } from "../../experiments/network/contactSheet.ts";
import { checkSizes, firstImages } from "../../experiments/network/data.ts";

export interface ViewsTask {
  readonly kind: "views";
  readonly config: NetworkConfig;
  readonly images: number;
  readonly hasData: boolean;
}

/** Plain JSON: what was drawn, image by image, and the size of the sheet in pixels. */
export interface ViewsDocument {
  readonly preset: string;
  readonly seed: number;
  readonly images: readonly Pick<ImageViews, "index" | "draws">[];
  readonly width: number;
  readonly height: number;
}

/** Name under which the sheet is delivered. */
export const SHEET_FILE = "sheet.png";

/** Delivers `SHEET_FILE`. */
export async function executeViews(
  engine: Engine,
  { config, images: count }: ViewsTask,
  { sink, data }: { readonly sink: RunSink; readonly data?: DataFolder | undefined },
): Promise<ViewsDocument> {
  checkSizes(config);
  const images = await firstImages(engine, config, data);
  const views = await firstViews(engine, config, images, count);
  const { width, height, data: pixels } = contactSheet(config, images, views);
  // Loaded for pictures alone.
  const { encode } = await import("fast-png");
  await sink.file(SHEET_FILE, encode({ width, height, data: pixels, channels: 3, depth: 8 }));
  const drawn = views.map(({ index, draws }) => ({ index, draws }));
  return { preset: config.preset, seed: config.seed, images: drawn, width, height };
}
