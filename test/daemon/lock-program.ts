import { takeHomeLock } from "../../src/daemon/home-lock.js";

/** Takes the lock that it is told, says so, and holds it until its standard input ends; or says why it could not. */
const [lockPath = "", waitMs = "0"] = process.argv.slice(2);

try {
  const isServed = async (): Promise<boolean> => false;
  const lock = await takeHomeLock({ lockPath, isServed, waitMs: Number(waitMs) });
  process.stdout.write("held\n");
  process.stdin.resume().once("end", () => {
    lock.release();
    process.stdout.write("released\n");
  });
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
}
