/**
 * Ends a browser and removes its profile when this process is killed and can do neither (SIGKILL, out of memory). A small process waits
 * for the end of its standard input, which the system closes with us whatever the reason. Chrome, on a pipe, would end by itself and leave
 * its profile; Firefox listens on a port and would run on.
 */
import { spawn } from "node:child_process";

/** Runs in the small process; idempotent, because the browser may be gone and the folder removed by then. */
const SCRIPT = `
const [pid, folder] = process.argv.slice(1);
process.stdin.resume().on("error", () => {}).on("close", () => {
  try {
    process.kill(process.platform === "win32" ? +pid : -pid, "SIGKILL");
  } catch {}
  require("node:fs").rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});
`;

/**
 * @param pid    of the browser, the leader of its process group
 * @param folder to remove
 * @returns ends the watch, when the browser has been closed and the folder removed
 */
export function guardBrowser(pid: number, folder: string): () => void {
  const guardian = spawn(process.execPath, ["-e", SCRIPT, String(pid), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    // A Ctrl-C in the terminal is not for it.
    detached: true,
    windowsHide: true,
  });
  // Without a guardian everything else works as well.
  guardian.on("error", () => {});
  guardian.stdin.on("error", () => {});
  guardian.unref();
  if ("unref" in guardian.stdin && typeof guardian.stdin.unref === "function") guardian.stdin.unref();
  return () => void guardian.kill("SIGKILL");
}
