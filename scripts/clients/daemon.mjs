// A daemon of this work tree in a home of its own, with its API on a free port.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start, within } from "./programs.mjs";

const main = join(import.meta.dirname, "../../dist/src/main.js");
const readyLimitMs = 30_000;
const callLimitMs = 30_000;

export async function startDaemon(limitMs) {
  const folder = mkdtempSync(join(tmpdir(), "portway-clients-"));
  const environment = { PORTWAY_HOME: join(folder, "home") };
  const line = `exec "${process.execPath}" "${main}" serve --api-address 127.0.0.1:0`;
  const daemon = start(line, { folder, environment, limitMs });
  const close = async () => {
    await daemon.end();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const saidReady = daemon.said(/^\{.*"event":"daemon\.ready".*\}$/m);
    const [ready] = await within(readyLimitMs, saidReady, "the start of the daemon");
    const [address] = JSON.parse(ready).apiAddresses;
    const token = readFileSync(join(environment.PORTWAY_HOME, "token"), "utf8").trim();
    return {
      close,
      environment: { ...environment, PORTWAY_ADDRESS: address },
      call: callsTo(address, token),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Calls of the API as Connect with JSON: `call("NodeService/ListNodes", {})`. */
function callsTo(address, token) {
  return async (method, request) => {
    const response = await fetch(`http://${address}/portway.v1.${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(callLimitMs),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method}: ${answer.code}: ${answer.message}`);
    return answer;
  };
}
