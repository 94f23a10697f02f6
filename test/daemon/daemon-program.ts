import { runDaemonProcess } from "../../src/daemon/daemon-process.js";
import { FakeEngine } from "../support/fake-engine.js";

/**
 * A daemon on an engine that routes nothing: `node daemon-program.js <flags as JSON> [behaviour]`. Behaviours of the
 * engine: "stuck" never drains, "stubborn" never ends at all and holds the process, "crash" and "reject" fail on the first call.
 */
const [flags = "{}", behaviour] = process.argv.slice(2);

process.exitCode = await runDaemonProcess({
  flags: JSON.parse(flags),
  createEngine: ({ log, logPath }) => {
    const engine = new FakeEngine();
    log("n1").info("node.made", { token: "never-to-be-seen", path: logPath("n1") });
    if (behaviour === "stuck") Object.assign(engine, { drain: () => new Promise(() => {}) });
    if (behaviour === "stubborn") {
      const never = (): Promise<never> => new Promise(() => {});
      Object.assign(engine, { drain: never, close: never });
      engine.onSend = (_request, { signal }) =>
        new Promise((_resolve, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
      setInterval(() => {}, 1_000);
    }
    if (behaviour === "crash") {
      engine.onCall = () => {
        setImmediate(() => {
          throw new Error("a fault for the test");
        });
      };
    }
    if (behaviour === "reject") engine.onCall = () => void Promise.reject(new Error("a fault for the test"));
    return engine;
  },
});
