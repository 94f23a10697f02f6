import { existsSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { homeAt } from "../../src/home/home.js";

/**
 * Run by the tests of the start in the place of the daemon: PORTWAY_PRETEND says how it behaves. It writes what it was
 * started with to `<home>/started-<pid>`, and ends after a minute if nobody ends it.
 */
const home = homeAt(process.env["PORTWAY_HOME"]!);
const { argv, env, pid } = process;
writeFileSync(
  `${home.path}/started-${pid}`,
  JSON.stringify({ words: argv.slice(2), env: Object.keys(env).sort(), cwd: process.cwd() }),
);
setTimeout(() => process.exit(0), 60_000);

switch (process.env["PORTWAY_PRETEND"]) {
  case "crash":
    console.error("the disk is on fire");
    process.exit(73);
    break;
  case "silent":
    console.error("thinking");
    break;
  default:
    if (process.env["PORTWAY_PRETEND"] === "reset" && !existsSync(`${home.path}-was-reset`)) {
      writeFileSync(`${home.path}-was-reset`, "");
      rmSync(home.path, { recursive: true });
      process.exit(69);
    }
    try {
      const isSuccessor = process.env["PORTWAY_PRETEND"] === "successor";
      writeFileSync(home.lockPath, String(pid), { flag: isSuccessor ? "w" : "wx" });
    } catch {
      process.exit(69);
    }
    createServer((socket) => socket.end()).listen(home.socketPath);
    process.on("SIGTERM", () => {
      rmSync(home.socketPath, { force: true });
      process.exit(0);
    });
}
