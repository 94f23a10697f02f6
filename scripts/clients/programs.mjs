// Child processes with a limit: each is the head of a process group, and the whole group ends with it.
import { spawn } from "node:child_process";

/** npm tells its children about the package it runs; an npm of an example must not hear that. */
export const cleanEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")),
);

/** Runs a line of shell to its end, which comes after `limitMs` at the latest: its output and exit code. */
export function run(line, { folder, environment = {}, limitMs }) {
  return start(line, { folder, environment, limitMs }).ended;
}

/**
 * Starts a line of shell. `said(pattern)` resolves with the match as soon as standard output has one; `ended` with all
 * output, once the process has ended; `end()` asks it to end and waits until it has.
 */
export function start(line, { folder, environment = {}, limitMs }) {
  const child = spawn("sh", ["-ec", line], {
    cwd: folder,
    env: { ...cleanEnvironment, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const output = { stdout: "", stderr: "" };
  let isLate = false;
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It is gone already.
    }
  };
  const limit = setTimeout(() => {
    isLate = true;
    signal("SIGKILL");
  }, limitMs);
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signalName) => {
      clearTimeout(limit);
      const why = isLate ? `no end within ${limitMs} ms` : (code ?? signalName);
      resolve({ ...output, code: why, text: `${output.stdout}${output.stderr}`.trim() });
    });
  });
  const watchers = new Set();
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (data) => {
      output[name] += data;
      for (const watcher of watchers) watcher();
    });
  }
  return {
    ended,
    said(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(output.stdout);
          if (match === null) return;
          watchers.delete(look);
          resolve(match);
        };
        watchers.add(look);
        look();
        ended.then(
          ({ code, text }) => reject(new Error(`it ended (${code}) before it said ${pattern}: ${text}`)),
          reject,
        );
      });
    },
    async end() {
      signal("SIGTERM");
      const hard = setTimeout(() => signal("SIGKILL"), 10_000);
      await ended.catch(() => {});
      clearTimeout(hard);
    },
  };
}

/** The outcome of `promise`, or an error after `limitMs` that says what was waited for. */
export async function within(limitMs, promise, what) {
  let limit;
  const late = new Promise((_resolve, reject) => {
    limit = setTimeout(() => reject(new Error(`${what} took longer than ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(limit);
  }
}
