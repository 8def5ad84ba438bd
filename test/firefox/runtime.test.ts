/** The runtime `firefox` end to end: what every browser promises. */
import { testBrowserRuntime } from "../browser/browserRuntime.ts";

testBrowserRuntime({
  runtime: "firefox",
  isMainProcess: (line, profileParent) =>
    line.includes(`--profile ${profileParent}/`) && !line.includes("-contentproc"),
});
