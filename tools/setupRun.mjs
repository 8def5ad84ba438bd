// Shared by the set-up scripts: a failure with its remedy, and running a program for a bounded time.
import { spawn } from "node:child_process";

/** A failure that a person can mend. */
export class Problem extends Error {
  constructor(code, message, fix) {
    super(message);
    this.code = code;
    this.fix = fix;
  }
}

/**
 * Runs a program without showing its output.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, shell?: boolean, timeoutMs: number, stallMs?: number, env?: object }} options `stallMs`: longest silence
 * @returns {Promise<{ code: number | null, output: string }>} `code` null when it could not start, timed out or was killed
 */
export function run(command, args, { cwd, shell = false, timeoutMs, stallMs = timeoutMs, env = process.env }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, shell, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let stallTimer;
    const kill = () => child.kill("SIGKILL");
    const restart = () => {
      clearTimeout(stallTimer);
      stallTimer = setTimeout(kill, stallMs);
    };
    const timer = setTimeout(kill, timeoutMs);
    restart();
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        restart();
        output = (output + text).slice(-20_000);
      });
    }
    const done = (code, extra = "") => {
      clearTimeout(timer);
      clearTimeout(stallTimer);
      resolve({ code, output: output + extra });
    };
    child.once("error", (error) => done(null, error.message));
    child.once("close", (code) => done(code));
  });
}

/** The line of a program's output that says what went wrong: npm's message, else the first line with "error", else the last. */
export function tellingLine(text) {
  const lines = text.trim().split("\n");
  const message = lines.find((line) => /^npm error (?!code\b|errno\b|syscall\b|path\b)\S/.test(line));
  return (message ?? lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? "").trim().slice(0, 300);
}
