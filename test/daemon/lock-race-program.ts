import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { takeHomeLock } from "../../src/daemon/home-lock.js";

/** On a first line of standard input, tries to take the lock in each directory; says which ones it has and holds them. */
const [directory = ""] = process.argv.slice(2);

process.stdout.write("ready\n");
await once(process.stdin, "data");
const held: string[] = [];
for (const name of readdirSync(directory)) {
  const lockPath = join(directory, name, "daemon.lock");
  await takeHomeLock({ lockPath, waitMs: 0, isServed: async () => false }).then(
    () => held.push(name),
    () => {},
  );
}
process.stdout.write(`${JSON.stringify(held)}\n`);
