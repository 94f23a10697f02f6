import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { deferred } from "../../src/base/signals.js";
import { createNode } from "../../src/embed/embedded-node.js";
import type { LogLine } from "../../src/embed/log-line.js";

/** The MultiAddr of a node by its `ip:port`. */
function toNode(address: string): string {
  const [host, port] = address.split(":");
  return `/ip4/${host}/tcp/${port}`;
}

function until(fact: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (fact()) resolve();
      else if (performance.now() > endMs) reject(new Error(`not in 10 s: ${what}`));
      else setTimeout(look, 5);
    };
    look();
  });
}

/** Sends `text` to `address` and gives what comes back until the other side ends. */
function talk(address: string, text: string): Promise<string> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), host ?? "", () => socket.write(text));
    let heard = "";
    socket.on("data", (data) => {
      heard += data;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(heard));
  });
}

test("a node that only dials reaches the services of one that listens", async () => {
  await using far = await createNode({ name: "far", listen: "127.0.0.1:0" });
  await using near = await createNode();
  assert.match(far.address, /^127\.0\.0\.1:\d+$/);
  assert.equal(near.address, "");
  using connection = await near.connect(far.address);
  const reply = await near.send(`${connection.route}/service/uppercase`, "hello");
  assert.equal(reply.text, "HELLO");
  assert.equal(connection.liveness().state, "active");
  const bytes = Uint8Array.of(0, 255, 1);
  const raw = await near.send(`${toNode(far.address)}/service/echo`, bytes, { encoding: "raw" });
  assert.deepEqual([...raw.payload], [...bytes]);
  assert.ok(far.messages.received >= 2);
  assert.deepEqual(far.messages.dropped, {});
});

test("a function of the program answers what comes from another node, and through a relay", async () => {
  await using hub = await createNode({ listen: "127.0.0.1:0" });
  await using inner = await createNode();
  await using caller = await createNode();
  const seen: string[] = [];
  using worker = inner.worker("greeter", async ({ text, returnRoute }) => {
    seen.push(returnRoute.includes("=>") ? "far" : "near");
    return `hello, ${text}`;
  });
  assert.equal(worker.address, "greeter");
  using relay = await inner.relay({ at: toNode(hub.address), name: "inner" });
  assert.equal(relay.address, "forward_to_inner");
  assert.equal(relay.liveness().state, "active");
  const to = `${toNode(hub.address)}/service/${relay.address}/service/greeter`;
  assert.equal((await caller.send(to, "caller")).text, "hello, caller");
  assert.equal((await inner.send("/service/greeter", "self")).text, "hello, self");
  assert.deepEqual(seen, ["far", "near"]);
  // A call counts once its answer was taken, which its reader may know first.
  await until(() => worker.counts().queuedBytes === 0, "both calls counted");
  assert.deepEqual(worker.counts(), { queuedBytes: 0, handled: 2, failed: 0 });
  relay.close();
  await assert.rejects(caller.send(to, "caller", { timeoutMs: 200 }), { code: "no_reply" });
});

test("an inlet and an outlet carry TCP between two nodes of a program", async () => {
  const server = net.createServer((socket) => {
    socket.on("data", (data) => socket.end(String(data).toUpperCase()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  try {
    await using far = await createNode({ listen: "127.0.0.1:0" });
    await using near = await createNode();
    using outlet = far.outlet({ to: `127.0.0.1:${port}` });
    assert.equal(outlet.address, "outlet");
    using inlet = await near.inlet({ to: `${toNode(far.address)}/service/${outlet.address}` });
    assert.equal(inlet.liveness().state, "active");
    assert.equal(await talk(inlet.address, "over the portal"), "OVER THE PORTAL");
    inlet.close();
    inlet.close();
    await assert.rejects(talk(inlet.address, ""), { code: "ECONNREFUSED" });
  } finally {
    server.close();
  }
});

test("messages to one worker are handled one after the other, in their order", async () => {
  await using node = await createNode();
  const gate = deferred<void>();
  const order: string[] = [];
  using worker = node.worker("slow", async ({ text }) => {
    order.push(text);
    await gate.promise;
    return text;
  });
  const replies = ["a", "b", "c"].map((text) => node.send("/service/slow", text));
  await until(() => order.length > 0, "the first call");
  assert.deepEqual(order, ["a"]);
  assert.ok(worker.counts().queuedBytes > 3 * 256);
  gate.resolve();
  assert.deepEqual(
    (await Promise.all(replies)).map(({ text }) => text),
    ["a", "b", "c"],
  );
  assert.deepEqual(order, ["a", "b", "c"]);
});

test("a worker with a concurrency of two runs two calls at once, and never three", async () => {
  await using node = await createNode();
  let running = 0;
  let most = 0;
  const gate = deferred<void>();
  const work = async (): Promise<string> => {
    most = Math.max(most, ++running);
    await gate.promise;
    running -= 1;
    return "done";
  };
  using worker = node.worker("pair", work, { concurrency: 2 });
  const replies = [1, 2, 3, 4].map(() => node.send("/service/pair", ""));
  await until(() => running === 2, "two calls");
  gate.resolve();
  await Promise.all(replies);
  assert.equal(most, 2);
  await until(() => worker.counts().handled === 4, "all four calls counted");
});

test("a full queue makes senders wait, and nothing is lost", async () => {
  await using node = await createNode();
  const gate = deferred<void>();
  let most = 0;
  using worker = node.worker(
    "small",
    async ({ payload }) => {
      await gate.promise;
      return payload;
    },
    { maxQueuedBytes: 2_000 },
  );
  const replies = Array.from({ length: 20 }, (_, index) =>
    node.send("/service/small", `${index}`.repeat(300)),
  );
  most = Math.max(most, worker.counts().queuedBytes);
  assert.ok(most > 0 && most <= 2_000, `${most} bytes were queued`);
  gate.resolve();
  assert.equal((await Promise.all(replies)).length, 20);
  await until(() => worker.counts().queuedBytes === 0, "an empty queue");
});

test("a function that throws answers nothing, is counted and logged, and the next message is handled", async () => {
  const lines: LogLine[] = [];
  await using node = await createNode({ onLog: (line) => lines.push(line) });
  using worker = node.worker("moody", ({ text }) => {
    if (text === "bad") throw new Error("I do not like that");
    return text === "silent" ? undefined : text;
  });
  await assert.rejects(node.send("/service/moody", "bad", { timeoutMs: 100 }), { code: "no_reply" });
  await assert.rejects(node.send("/service/moody", "silent", { timeoutMs: 100 }), { code: "no_reply" });
  assert.equal((await node.send("/service/moody", "good")).text, "good");
  await until(() => worker.counts().queuedBytes === 0, "all calls counted");
  assert.deepEqual(worker.counts(), { queuedBytes: 0, handled: 2, failed: 1 });
  const failed = lines.find(({ event }) => event === "worker.failed");
  assert.deepEqual(
    [failed?.level, failed?.facts],
    ["error", { worker: "moody", error: "I do not like that" }],
  );
});

test("a payload that is no BARE byte string reaches no worker that expects one", async () => {
  await using node = await createNode();
  let calls = 0;
  using _bare = node.worker("bare", () => {
    calls += 1;
    return undefined;
  });
  using _raw = node.worker("raw", ({ payload }) => payload, { encoding: "raw" });
  const wrong = Uint8Array.of(9, 1);
  await assert.rejects(node.send("/service/bare", wrong, { encoding: "raw" }), /malformed_payload/);
  assert.equal(calls, 0);
  const given = await node.send("/service/raw", wrong, { encoding: "raw" });
  assert.deepEqual([...given.payload], [9, 1]);
  const text = await node.send("/service/raw", "text", { encoding: "raw" });
  assert.equal(text.text, "text");
  using _liar = node.worker("liar", () => Uint8Array.of(200), { encoding: "raw" });
  await assert.rejects(node.send("/service/liar", "x"), { code: "bad_reply" });
});

test("what is asked for wrongly is refused with what was expected", async () => {
  await using node = await createNode({ listen: "127.0.0.1:0" });
  using _worker = node.worker("w", () => undefined);
  assert.throws(() => node.worker("w", () => undefined), { code: "address_taken" });
  assert.throws(() => node.worker("v", () => undefined, { concurrency: 0 }), { code: "bad_argument" });
  await assert.rejects(node.listen(), { code: "already_exists" });
  await assert.rejects(node.connect("127.0.0.1"), { code: "bad_socket_address" });
  await assert.rejects(node.connect("127.0.0.1:1"), { code: "connect_failed" });
  await assert.rejects(node.send("/service/nobody", "x"), { code: "worker_not_found" });
  await assert.rejects(node.send("/service/w", "x", { timeoutMs: 0 }), { code: "bad_argument" });
  using _outlet = node.outlet({ to: "127.0.0.1:1", name: "o" });
  assert.throws(() => node.outlet({ to: "127.0.0.1:1", name: "o" }), { code: "already_exists" });
  await assert.rejects(createNode({ listen: node.address }), { code: "address_in_use" });
  const relay = node.relay({ at: "/ip4/127.0.0.1/tcp/1", name: "r" }, { timeoutMs: 300 });
  await assert.rejects(
    relay,
    /the relay "r" at \/ip4\/127\.0\.0\.1\/tcp\/1 was not registered within 300 ms/,
  );
  using _hop = node.hop();
});

test("a wait without end, or beyond what a timer can wait, goes on until there is an answer", async () => {
  await using node = await createNode();
  const later = (): Promise<string> => new Promise((resolve) => setTimeout(resolve, 20, "late"));
  using _worker = node.worker("slow", later, { concurrency: 2 });
  const waits = [2 ** 31, Infinity].map((timeoutMs) => node.send("/service/slow", "x", { timeoutMs }));
  for (const wait of waits) assert.equal((await wait).text, "late");
});

test("the end of a node ends what waits for it and closes all that it has", async () => {
  const node = await createNode({ listen: "127.0.0.1:0" });
  const { address } = node;
  const stopped = deferred<unknown>();
  const worker = node.worker("stuck", ({ signal }) => {
    signal.addEventListener("abort", () => stopped.resolve(signal.reason), { once: true });
    return new Promise(() => {});
  });
  const sent = node.send("/service/stuck", "x");
  sent.catch(() => {});
  const relay = node.relay({ at: "/ip4/127.0.0.1/tcp/1", name: "r" });
  relay.catch(() => {});
  await until(() => worker.counts().queuedBytes > 0, "the message");
  await new Promise(setImmediate);
  await node.close();
  await node.close();
  assert.deepEqual(await stopped.promise.then((reason) => (reason as { code: string }).code), "stopped");
  await assert.rejects(sent, { code: "stopped" });
  await assert.rejects(relay, { code: "stopped" });
  await assert.rejects(node.send("/service/echo", "x"), { code: "stopped" });
  assert.throws(() => node.worker("late", () => undefined), { code: "stopped" });
  worker.close();
  await assert.rejects(talk(address, ""), { code: "ECONNREFUSED" });
});

test("a caller's signal ends a wait, and nothing stays behind", async () => {
  await using node = await createNode();
  const cancel = new AbortController();
  const { signal } = cancel;
  const waits = [
    node.relay({ at: "/ip4/127.0.0.1/tcp/1", name: "r" }, { signal }),
    node.inlet({ to: "/ip4/127.0.0.1/tcp/1/service/outlet" }, { signal }),
  ];
  await new Promise(setImmediate);
  cancel.abort(new Error("changed my mind"));
  for (const wait of waits) await assert.rejects(wait, /changed my mind/);
  await assert.rejects(node.send("/service/echo", "x", { signal }), /changed my mind/);
  await assert.rejects(node.relay({ at: "/ip4/127.0.0.1/tcp/1", name: "r" }, { timeoutMs: 50 }), {
    code: "timed_out",
  });
});
