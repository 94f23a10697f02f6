import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { silentLog } from "../../src/base/log.js";
import type { Engine, OpenWorkerSpec, WorkerMessage, WorkerStream } from "../../src/node/engine.js";
import { createEngine } from "../../src/node/host.js";

let engine: Engine;

beforeEach(() => {
  engine = createEngine({ log: () => silentLog, logPath: () => "" });
});

afterEach(() => engine.close());

const spec: OpenWorkerSpec = {
  node: "n1",
  address: "upper",
  whenFull: "wait",
  queueMessages: 16,
  queueBytes: 65536,
  resumeWindowMs: 60_000,
};

async function create(id: string): Promise<string> {
  const { resource } = await engine.nodes.create(id, { tcpListenerAddress: "" });
  const [host, port] = resource.status.tcpListenerAddress.split(":");
  return `/ip4/${host}/tcp/${port}`;
}

/** A worker that answers every message, in capitals. */
async function openUppercase(node: string): Promise<{ stream: WorkerStream; received: WorkerMessage[] }> {
  const received: WorkerMessage[] = [];
  let stream: WorkerStream | undefined;
  const answer = (): void => {
    for (let event = stream?.take(); event !== undefined; event = stream?.take()) {
      if (event.kind !== "message") continue;
      received.push(event.message);
      const payload = Buffer.from(Buffer.from(event.message.payload).toString().toUpperCase());
      void stream?.reply({ toId: event.message.id, payload, return: "" });
    }
  };
  stream = await engine.openWorkers.open({ ...spec, node }, () => queueMicrotask(answer));
  stream.grant({ messages: 1000, bytes: 1e6 });
  return { stream, received };
}

async function ask(to: string, node = "", timeoutMs = 5_000): Promise<string> {
  const payload = Buffer.from("hello");
  return Buffer.from((await engine.sendMessage({ node, to, payload, timeoutMs }, {})).payload).toString();
}

test("a program answers what comes from its node, over a connection to it and through a relay", async () => {
  const n2 = await create("n2");
  const n3 = await create("n3");
  const { received } = await openUppercase("n3");
  assert.equal(await ask("/service/upper", "n3"), "HELLO");
  assert.equal(await ask(`${n3}/service/upper`), "HELLO");
  await engine.relays.create("n3", "r", { at: n2, relayAddress: "n3" }, { waitMs: 10_000 });
  assert.equal(await ask(`${n2}/service/forward_to_n3/service/upper`), "HELLO");
  assert.deepEqual(
    received.map(({ id, onward }) => [id, onward]),
    [1, 2, 3].map((id) => [id, "0#upper"]),
  );
});

test("a program is not reached through a listener that was added", async () => {
  await create("n1");
  const { received } = await openUppercase("n1");
  const { resource } = await engine.tcpListeners.create("n1", "", { bindAddress: "127.0.0.1:0" });
  const [host, port] = resource.status.boundAddress.split(":");
  await assert.rejects(ask(`/ip4/${host}/tcp/${port}/service/upper`, "", 100), { code: "no_reply" });
  const { status } = await engine.nodes.get("n1");
  assert.equal(status.messages.dropped["denied_by_policy"], 1);
  assert.equal(received.length, 0);
});

test("a token holds as long as the worker, and names its node", async () => {
  await create("n1");
  await create("n2");
  const stream = await engine.openWorkers.open(spec, () => {});
  const { token } = stream.opened;
  const resume = { token, acknowledgedId: 0 };
  await assert.rejects(
    engine.openWorkers.resume({ ...resume, node: "n2" }, () => {}),
    {
      code: "worker_not_found",
    },
  );
  await assert.rejects(
    engine.openWorkers.resume({ ...resume, node: "n3" }, () => {}),
    {
      code: "node_not_found",
    },
  );
  const control = await engine.openWorkers.steer(token);
  control.grant({ messages: 1, bytes: 1 });
  await engine.nodes.stop("n1");
  const ended = stream.take();
  assert.equal(ended?.kind === "ended" && ended.error?.code, "stopped");
  await assert.rejects(engine.openWorkers.steer(token), { code: "worker_not_found" });
  await assert.rejects(control.send({ onward: "echo", return: "", payload: Buffer.of(), trace: "" }), {
    code: "stopped",
  });
  await engine.nodes.start("n1");
  await assert.rejects(engine.openWorkers.steer(token), { code: "worker_not_found" });
  for (const nonsense of ["", "n1", "n1.x", "n9.".padEnd(35, "x"), "../x"]) {
    await assert.rejects(engine.openWorkers.steer(nonsense), { code: "worker_not_found" });
  }
});

test("nothing new is opened while the daemon drains", async () => {
  await create("n1");
  await engine.drain(0);
  await assert.rejects(
    engine.openWorkers.open(spec, () => {}),
    { code: "draining" },
  );
});

test("the messages of a node are watched until it ends", async () => {
  const n1 = await create("n1");
  const filter = { node: "n1", address: "", onwardPrefix: "/service/echo", maxPayloadBytes: 2 };
  const watch = await engine.watchMessages({ ...filter, kinds: ["received", "delivered"] }, () => {});
  await ask(`${n1}/service/echo`);
  const [received, delivered] = [watch.take(), watch.take()];
  assert.deepEqual([received?.kind, received?.workerKind], ["received", "service"]);
  assert.deepEqual([delivered?.kind, Buffer.from(delivered!.payload).toString()], ["delivered", "he"]);
  assert.equal(watch.take(), undefined);
  await engine.nodes.delete("n1");
  assert.throws(() => watch.take(), { code: "stopped" });
});
