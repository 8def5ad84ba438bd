/** The application as a page: its own adapter and device, and nothing of this library but `eigenstep/linalg`. */
import { Engine, plan } from "../../../src/linalg/index.ts";
import { type Outcome, runApplication } from "./application.ts";

declare global {
  /** Started by the test, with the application's shaders. */
  var runPage: ((code: string) => Promise<Outcome>) | undefined;
}

globalThis.runPage = async (code) => {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("no adapter");
  return runApplication(await adapter.requestDevice(), code, { Engine, plan });
};
