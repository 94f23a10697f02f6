import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { silentLog } from "../../src/base/log.js";
import { deferred } from "../../src/base/signals.js";
import { encodeBareBytes } from "../../src/model/bare.js";
import type { Created, Engine, WaitOptions } from "../../src/node/engine.js";
import { createEngine } from "../../src/node/host.js";

const spec = { tcpListenerAddress: "" };
let engine: Engine;
let servers: net.Server[];

beforeEach(() => {
  servers = [];
  engine = newEngine();
});

afterEach(async () => {
  for (const server of servers) server.close();
  await engine.close();
});

function newEngine(): Engine {
  return createEngine({ log: () => silentLog, logPath: (node) => `/logs/${node}.log` });
}

/** A TCP server on loopback; gives its `ip:port`. */
async function listen(serve: (socket: net.Socket) => void): Promise<string> {
  const server = net.createServer(serve).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

async function create(id: string, tcpListenerAddress = ""): Promise<string> {
  const { resource } = await engine.nodes.create(id, { tcpListenerAddress });
  return resource.status.tcpListenerAddress;
}

async function defaults(): Promise<string[]> {
  return (await engine.nodes.list()).filter(({ status }) => status.isDefault).map(({ id }) => id);
}

/** Waits for a fact of the engine: looks again after each change, and now and then. */
async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  const endMs = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found as T;
    if (Date.now() > endMs) throw new Error(`not so in time: ${look}`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 50);
      const once = engine.changes.subscribe(() => {
        clearTimeout(timer);
        once[Symbol.dispose]();
        resolve();
      });
    });
  }
}

/** The changes from now on, as they come. */
function changesSeen(): readonly string[] {
  const seen: string[] = [];
  engine.changes.subscribe(({ type, kind, id }) => seen.push(`${type} ${kind} ${id}`));
  return seen;
}

const hello = encodeBareBytes(Buffer.from("hello"));

function send(node: string, to: string, timeoutMs = 5_000, signal?: AbortSignal) {
  return engine.sendMessage({ node, to, payload: hello, timeoutMs }, signal === undefined ? {} : { signal });
}

const tcp = (address: string): string => {
  const [host, port] = address.split(":");
  return `/ip4/${host}/tcp/${port}`;
};

test("a node is there until it is deleted, with its services and its listener", async () => {
  await create("n1");
  const node = await engine.nodes.get("n1");
  assert.equal(node.status.state, "active");
  assert.match(node.status.tcpListenerAddress, /^127\.0\.0\.1:\d+$/);
  assert.equal(node.status.logPath, "/logs/n1.log");
  assert.deepEqual(
    (await engine.services.list("n1")).map(({ id }) => id),
    ["uppercase", "echo"],
  );
  assert.deepEqual(
    (await engine.tcpListeners.list("n1")).map(({ status }) => status.isNodeListener),
    [true],
  );
  await engine.nodes.delete("n1");
  await assert.rejects(engine.nodes.get("n1"), { code: "node_not_found" });
  await assert.rejects(engine.nodes.delete("n1"), { code: "node_not_found" });
});

test("creating a node again is no error if it is asked for in the same way", async () => {
  await create("n1");
  assert.equal((await engine.nodes.create("n1", spec)).existed, true);
  for (const tcpListenerAddress of ["127.0.0.1:0", ":0", "0"]) {
    assert.equal((await engine.nodes.create("n1", { tcpListenerAddress })).existed, true, tcpListenerAddress);
  }
  const other = { tcpListenerAddress: "127.0.0.1:1" };
  await assert.rejects(engine.nodes.create("n1", other), {
    code: "node_exists",
    message: /already with TCP listener address "127\.0\.0\.1:0", not "127\.0\.0\.1:1"$/,
  });
  await assert.rejects(engine.nodes.create("n1", { ...spec, httpServerPort: 0 }), {
    message: "node n1 exists already with HTTP server port unset, not 0",
  });
});

test("of two creates of one name at the same moment, one makes the node", async () => {
  const outcomes = await Promise.allSettled([
    engine.nodes.create("n1", spec),
    engine.nodes.create("n1", spec),
  ]);
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  assert.equal((await engine.nodes.list()).length, 1);
});

test("a node whose listener can't be bound is not there", async () => {
  const address = await create("n1");
  await assert.rejects(engine.nodes.create("n2", { tcpListenerAddress: address }), {
    code: "address_in_use",
  });
  await assert.rejects(engine.nodes.create("n2", { tcpListenerAddress: "nonsense" }), {
    code: "bad_socket_address",
  });
  const port = Number(address.split(":")[1]);
  await assert.rejects(engine.nodes.create("n2", { tcpListenerAddress: "", httpServerPort: port }), {
    code: "address_in_use",
  });
  assert.deepEqual(
    (await engine.nodes.list()).map(({ id }) => id),
    ["n1"],
  );
});

test("the first node is the default until another is made so or it goes", async () => {
  await create("n1");
  await create("n2");
  assert.deepEqual(await defaults(), ["n1"]);
  await engine.nodes.setDefault("n2");
  assert.deepEqual(await defaults(), ["n2"]);
  await engine.nodes.delete("n2");
  assert.deepEqual(await defaults(), ["n1"]);
});

test("a node whose start is under way when the default goes becomes the default once it is there", async () => {
  await create("n1");
  const failing = engine.nodes.create("n2", { tcpListenerAddress: await listen(() => {}) });
  await engine.nodes.delete("n1");
  await assert.rejects(failing, { code: "address_in_use" });
  await create("n3");
  assert.deepEqual(await defaults(), ["n3"]);

  const creating = create("n4");
  await engine.nodes.delete("n3");
  await creating;
  assert.deepEqual(await defaults(), ["n4"]);

  const address = await create("n5");
  await engine.nodes.stop("n5");
  const port = Number(address.split(":")[1]);
  const other = net.createServer().listen(port, "127.0.0.1");
  servers.push(other);
  await new Promise((resolve) => other.once("listening", resolve));
  const starting = engine.nodes.start("n5");
  await engine.nodes.delete("n4");
  await assert.rejects(starting, { code: "address_in_use" });
  assert.deepEqual(await defaults(), ["n5"]);
});

test("a stopped node keeps its address and nothing else, and starts again on it", async () => {
  const address = await create("n1");
  await engine.services.create("n1", "", { kind: "hop" });
  const stopped = await engine.nodes.stop("n1");
  assert.deepEqual([stopped.status.state, stopped.status.pid], ["stopped", 0]);
  assert.equal(stopped.status.tcpListenerAddress, address);
  assert.deepEqual(await engine.services.list("n1"), []);
  await assert.rejects(engine.services.create("n1", "", { kind: "hop" }), { code: "node_stopped" });
  assert.equal((await engine.nodes.stop("n1")).status.state, "stopped");
  assert.equal((await engine.nodes.start("n1")).status.tcpListenerAddress, address);
  await assert.rejects(engine.nodes.start("n1"), { code: "node_running" });
});

test("a node whose own listener was deleted says that it has none, until it is started again", async () => {
  const address = await create("n1");
  const events: string[] = [];
  using _ = engine.changes.subscribe(({ type, kind }) => void events.push(`${type} ${kind}`));
  await engine.tcpListeners.delete("n1", "node");
  const told = async () => (await engine.nodes.get("n1")).status.tcpListenerAddress;
  assert.equal(await told(), "");
  assert.deepEqual(events, ["deleted tcp_listener", "modified node"]);
  await engine.tcpListeners.create("n1", "node", { bindAddress: "127.0.0.1:0" });
  assert.equal(await told(), "");
  await engine.nodes.stop("n1");
  await engine.nodes.start("n1");
  assert.equal(await told(), address);
});

test("a listener that the network can reach is warned of", async () => {
  await create("n1", "0.0.0.0:0");
  const [warning = ""] = (await engine.nodes.get("n1")).status.warnings;
  assert.match(warning, /0\.0\.0\.0:\d+.*no encryption, no authentication/);
  await create("n2");
  const warnings = async () => (await engine.nodes.get("n2")).status.warnings.length;
  assert.equal(await warnings(), 0);
  const seen = changesSeen();
  await engine.tcpListeners.create("n2", "near", { bindAddress: "127.0.0.1:0" });
  await engine.tcpListeners.create("n2", "far", { bindAddress: "0.0.0.0:0" });
  await engine.udpListeners.create("n2", "far", { bindAddress: "0.0.0.0:0" });
  assert.equal(await warnings(), 2);
  for (const kind of [engine.tcpListeners, engine.udpListeners]) await kind.delete("n2", "far");
  assert.equal(await warnings(), 0);
  // Whoever watches nodes hears of it: the listeners themselves are not watched.
  assert.equal(seen.filter((change) => change === "modified node n2").length, 4);
});

test("of two creates of one listener or inlet at the same moment, one makes it", async () => {
  await create("n1");
  const bindAddress = "127.0.0.1:0";
  for (const make of [
    () => engine.tcpListeners.create("n1", "twice", { bindAddress }),
    () => engine.udpListeners.create("n1", "twice", { bindAddress }),
    () => engine.inlets.create("n1", "twice", { bindAddress, to: "/service/outlet" }),
  ]) {
    const [one, other] = await Promise.allSettled([make(), make()]);
    assert.equal(one.status, "fulfilled");
    assert.equal(other.status === "rejected" && other.reason.code, "already_exists");
  }
});

test("the HTTP server of a node answers HEAD / and GET /show alone, and no page of another site", async () => {
  const { resource } = await engine.nodes.create("n1", { ...spec, httpServerPort: 0 });
  const ask = (method: string, path: string, headers = {}) =>
    new Promise<{ code: number | undefined; text: string }>((resolve, reject) => {
      const [host, port] = resource.status.httpServerAddress.split(":");
      const request = http.request({ host, port, method, path, headers, agent: false }, (response) => {
        let text = "";
        response.on("data", (data) => {
          text += data;
        });
        response.on("end", () => resolve({ code: response.statusCode, text }));
      });
      request.on("error", reject).end();
    });
  assert.equal((await ask("HEAD", "/")).code, 200);
  assert.equal(JSON.parse((await ask("GET", "/show")).text).id, "n1");
  assert.equal((await ask("HEAD", "/show")).code, 404);
  assert.equal((await ask("POST", "/show")).code, 404);
  assert.equal((await ask("GET", "/show", { origin: "http://evil.example" })).code, 404);
  assert.equal((await ask("GET", "/show", { host: "evil.example" })).code, 404);
});

test("a message goes to a node that is dialed for it, and nothing is left of the connection", async () => {
  const address = await create("n1");
  await create("n2");
  for (const from of ["", "n2"]) {
    const reply = await send(from, `${tcp(address)}/service/uppercase`);
    assert.equal(reply.payload.subarray(1).toString(), "HELLO");
    assert.match(reply.returnRoute, /^0#[0-9a-f]{32} => 0#uppercase$/);
  }
  await until(async () => (await engine.tcpConnections.list("n1")).length === 0);
  assert.deepEqual(await engine.tcpConnections.list("n2"), []);
});

test("a message that can't be sent says why", async () => {
  const address = await create("n1");
  await assert.rejects(send("n1", "/service/nobody"), { code: "worker_not_found" });
  await assert.rejects(send("n1", "/node/n1/service/echo"), { code: "bad_route" });
  await assert.rejects(send("n1", "/secure/api"), { code: "unsupported" });
  await assert.rejects(send("n1", ""), { code: "bad_route" });
  await assert.rejects(send("n1", "/ip4/127.0.0.1/tcp/9"), { code: "bad_route", message: /no worker on it/ });
  await assert.rejects(send("nobody", "/service/echo"), { code: "node_not_found" });
  await assert.rejects(send("n1", "/ip4/127.0.0.1/tcp/1/service/echo"), { code: "connect_failed" });
  await assert.rejects(send("n1", `${tcp(address)}/service/nobody`, 50), { code: "no_reply" });
});

test("a message that is cancelled leaves no worker and no connection", async () => {
  const address = await create("n1");
  await create("n2");
  const workers = (await engine.workers.list("n2")).length;
  const cancel = new AbortController();
  const sent = send("n2", `${tcp(address)}/service/nobody`, 60_000, cancel.signal);
  await until(async () => (await engine.workers.list("n2")).some(({ kind }) => kind === "reply"));
  cancel.abort(new Error("changed my mind"));
  await assert.rejects(sent, /changed my mind/);
  assert.equal((await engine.workers.list("n2")).length, workers);
  assert.deepEqual(await engine.tcpConnections.list("n2"), []);
});

test("a message whose node ends while it waits for an answer says so at once", async () => {
  const address = await create("n2");
  for (const [how, end] of [
    ["stopped", () => engine.nodes.stop("n1")],
    ["deleted", () => engine.nodes.delete("n1")],
  ] as const) {
    await create("n1");
    const arrived = deferred<void>();
    const watched = { node: "n2", address: "", onwardPrefix: "", kinds: [], maxPayloadBytes: 0 };
    using _ = await engine.watchMessages(watched, arrived.resolve);
    const waiting = send("n1", `${tcp(address)}/service/nobody`);
    await arrived.promise;
    const rejected = assert.rejects(waiting, { code: "stopped" }, how);
    await end();
    await rejected;
    if (how === "stopped") await engine.nodes.delete("n1");
  }
});

test("a node counts what it has sent, on connections of every kind and when they are gone as well", async () => {
  const address = await create("n1");
  await create("n2");
  const sent = async () => {
    const nodes = [await engine.nodes.get("n1"), await engine.nodes.get("n2")];
    return nodes.map(({ status }) => status.messages.sent);
  };
  const udp = (await engine.udpListeners.create("n1", "", { bindAddress: "127.0.0.1:0" })).resource;
  await send("n2", `${tcp(address)}/service/echo`);
  await send("n2", `${tcp(udp.status.boundAddress).replace("tcp", "udp")}/service/echo`);
  assert.deepEqual(await sent(), [2, 2]);
  const { resource } = await engine.tcpConnections.create(
    "n2",
    "",
    { peerAddress: address },
    { waitMs: 5_000 },
  );
  await send("n2", `/worker/${resource.status.workerAddress}/service/echo`);
  // The connection has asked on its own whether n1 is there.
  assert.deepEqual(await sent(), [4, 4]);
  await engine.tcpConnections.delete("n2", resource.id);
  assert.deepEqual(await sent(), [4, 4]);
  await until(async () => (await engine.tcpConnections.list("n1")).length === 0);
  assert.deepEqual(await sent(), [4, 4]);
});

test("a message counts as sent while its answer is waited for", async () => {
  const address = await create("n1");
  await create("n2");
  const cancel = new AbortController();
  const sending = send("n2", `${tcp(address)}/service/nobody`, 60_000, cancel.signal);
  await until(async () => (await engine.nodes.get("n1")).status.messages.received > 0);
  const sent = async () => (await engine.nodes.get("n2")).status.messages.sent;
  assert.equal(await sent(), 1);
  cancel.abort(new Error("enough"));
  await assert.rejects(sending, /enough/);
  assert.equal(await sent(), 1);
});

test("a created connection that must be up and is refused is not there", async () => {
  await create("n1");
  const create_ = engine.tcpConnections.create("n1", "", { peerAddress: "127.0.0.1:1" }, { waitMs: 5_000 });
  await assert.rejects(create_, { code: "connect_failed" });
  assert.deepEqual(await engine.tcpConnections.list("n1"), []);
});

test("a created connection whose peer says nothing is not there once its wait has passed", async () => {
  await create("n1");
  const peerAddress = await listen((socket) => socket.on("error", () => {}).resume());
  const create_ = engine.tcpConnections.create("n1", "", { peerAddress }, { waitMs: 200 });
  const message = `can't connect to ${peerAddress}: no link within 200 ms`;
  await assert.rejects(create_, { code: "timed_out", message });
  assert.deepEqual(await engine.tcpConnections.list("n1"), []);
});

test("a create of what is there already waits as the first one does", async () => {
  const address = await create("n2");
  await create("n1");
  await engine.nodes.stop("n2");
  const relay = { at: tcp(address), relayAddress: "r" };
  const inlet = { bindAddress: "127.0.0.1:0", to: `${tcp(address)}/service/outlet` };
  const connection = { peerAddress: address };
  const wait = { waitMs: 10_000 };
  await engine.relays.create("n1", "r", relay);
  await engine.inlets.create("n1", "i", inlet);
  await engine.tcpConnections.create("n1", "c", connection);
  await until(async () => (await engine.tcpConnections.get("n1", "c")).status.liveness.failure);
  const refused = engine.tcpConnections.create("n1", "c", connection, wait);
  await assert.rejects(refused, { code: "connect_failed" });
  const again = [
    engine.relays.create("n1", "r", relay, wait),
    engine.inlets.create("n1", "i", inlet, wait),
  ] as const;
  await engine.nodes.start("n2");
  const linked = await engine.tcpConnections.create("n1", "c", connection, wait);
  assert.equal(linked.resource.status.liveness.state, "active");
  const [relayed, entered] = await Promise.all(again);
  assert.equal(relayed.resource.status.liveness.state, "active");
  assert.equal(entered.resource.status.path.state, "active");
  assert.ok(linked.existed && relayed.existed && entered.existed);
});

test("specs are equal if they are with their defaults, and an error names what differs as the API does", async () => {
  const peer = await create("n1");
  const port = peer.split(":")[1]!;
  const { tcpListeners, tcpConnections, relays, inlets, outlets } = engine;
  const to = `${tcp(peer)}/service/outlet`;
  const cases: readonly [() => Promise<Created<unknown>>, ...(() => Promise<Created<unknown>>)[]][] = [
    [
      () => inlets.create("n1", "x", { bindAddress: "", to }),
      () => inlets.create("n1", "x", { bindAddress: "127.0.0.1:0", to }),
      () => inlets.create("n1", "x", { bindAddress: ":0", to, openTimeoutMs: 15_000, retryWaitMs: 3_000 }),
    ],
    [
      () => outlets.create("n1", "x", { target: ":80", connectTimeoutMs: 10_000 }),
      () => outlets.create("n1", "x", { target: "127.0.0.1:80" }),
    ],
    [
      () => relays.create("n1", "x", { at: tcp(peer), relayAddress: "" }),
      () => relays.create("n1", "x", { at: tcp(peer), relayAddress: "x" }),
    ],
    [
      () => tcpConnections.create("n1", "x", { peerAddress: port }),
      () => tcpConnections.create("n1", "x", { peerAddress: peer }),
    ],
    [
      () => tcpListeners.create("n1", "x", { bindAddress: "0" }),
      () => tcpListeners.create("n1", "x", { bindAddress: "127.0.0.1:0" }),
    ],
  ];
  for (const [first, ...again] of cases) {
    assert.equal((await first()).existed, false);
    for (const same of again) assert.equal((await same()).existed, true);
  }
  await assert.rejects(inlets.create("n1", "x", { bindAddress: "", to, openTimeoutMs: 500 }), {
    code: "already_exists",
    message: /with open timeout 15000 ms, not 500 ms$/,
  });
});

test("an id that a connection has which was accepted is taken", async () => {
  await create("n1");
  const peerAddress = await create("n2");
  const { tcpConnections } = engine;
  await tcpConnections.create("n1", "x", { peerAddress }, { waitMs: 5_000 });
  while ((await tcpConnections.list("n2")).length === 0) await new Promise(setImmediate);
  const [accepted] = await tcpConnections.list("n2");
  await assert.rejects(tcpConnections.create("n2", accepted!.id, { peerAddress }), {
    code: "already_exists",
    message: /with peer address unset, not "127/,
  });
});

test("more than ten calls that wait for one thing are no leak to warn of", async (t) => {
  await create("n1");
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on("warning", warned);
  t.after(() => process.off("warning", warned));
  const peerAddress = await listen(() => {});
  const messages = Array.from({ length: 11 }, () => send("n1", `${tcp(peerAddress)}/service/echo`, 100));
  const creates = Array.from({ length: 11 }, () =>
    engine.tcpConnections.create("n1", "c", { peerAddress }, { waitMs: 100 }),
  );
  await Promise.allSettled([...messages, ...creates]);
  // Node.js tells a warning a turn later.
  await new Promise(setImmediate);
  assert.deepEqual(warnings, []);
});

test("what answers but is no node is told apart from a node", async () => {
  const address = await listen((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await create("n1");
  const wait = { waitMs: 5_000 };
  await assert.rejects(engine.tcpConnections.create("n1", "", { peerAddress: address }, wait), /not a node/);
});

test("a created connection keeps its worker address and comes back when its peer does", async () => {
  const address = await create("n1");
  await create("n2");
  const { resource } = await engine.tcpConnections.create(
    "n2",
    "",
    { peerAddress: address },
    { waitMs: 5_000 },
  );
  const { workerAddress } = resource.status;
  const echo = `/worker/${workerAddress}/service/echo`;
  await send("n2", echo);
  await engine.nodes.stop("n1");
  const down = await until(async () => {
    const now = await engine.tcpConnections.get("n2", resource.id);
    return now.status.liveness.state === "degraded" && now;
  });
  assert.ok(down.status.liveness.failure?.nextRetryTimeMs !== undefined);
  await assert.rejects(send("n2", echo), { code: "not_connected" });
  const startMs = performance.now();
  await engine.nodes.start("n1");
  await until(
    async () => (await engine.tcpConnections.get("n2", resource.id)).status.liveness.state === "active",
  );
  assert.ok(performance.now() - startMs < 5_000);
  await send("n2", echo);
  const now = await engine.tcpConnections.get("n2", resource.id);
  assert.deepEqual([now.status.links, now.status.workerAddress], [2, workerAddress]);
  await engine.tcpConnections.delete("n2", resource.id);
  await assert.rejects(send("n2", echo), { code: "worker_not_found" });
});

test("what stands on a created connection fails at once when that is deleted, and says why", async () => {
  const address = await create("n1");
  await create("n2");
  const wait = { waitMs: 10_000 };
  const connection = { peerAddress: address };
  const { resource } = await engine.tcpConnections.create("n2", "c", connection, wait);
  const at = `/worker/${resource.status.workerAddress}`;
  await engine.relays.create("n2", "r", { at, relayAddress: "" }, wait);
  await engine.inlets.create("n2", "i", { bindAddress: "", to: `${at}/service/outlet` }, wait);
  const seen: string[] = [];
  engine.changes.subscribe(({ type, kind, id }) => seen.push(`${type} ${kind} ${id}`));
  const late = engine.inlets.create("n2", "late", { bindAddress: "", to: `${at}/service/outlet` });

  await engine.tcpConnections.delete("n2", "c");

  const said = `the connection to ${address} was deleted`;
  const relay = (await engine.relays.get("n2", "r")).status.liveness;
  const inlet = (await engine.inlets.get("n2", "i")).status;
  const lateInlet = (await late).resource.status;
  for (const { state, reconciling, failure } of [relay, inlet.path, lateInlet.path]) {
    assert.deepEqual(
      [state, reconciling, failure?.lastError, failure?.nextRetryTimeMs],
      ["failed", false, said, undefined],
    );
  }
  const facts = ({ conditions }: typeof relay) => conditions.map(({ type, holds }) => `${type} ${holds}`);
  assert.deepEqual(facts(relay), ["Connected false", "Registered false", "Probed false"]);
  assert.deepEqual(facts(inlet.path), ["Bound true", "Connected false", "PathReachable false"]);
  assert.equal(inlet.lastError, said);
  assert.deepEqual(seen.sort(), [
    "added inlet late",
    "deleted tcp_connection c",
    "modified inlet i",
    "modified relay r",
  ]);
});

test("who waits for a connection that is deleted meanwhile hears so, and another of its id stays", async () => {
  const silent = await listen((socket) => socket.on("error", () => {}));
  await create("n1");
  const create_ = engine.tcpConnections.create("n1", "c", { peerAddress: silent }, { waitMs: 60_000 });
  const refused = assert.rejects(create_, /was deleted/);
  await engine.tcpConnections.delete("n1", "c");
  await engine.tcpConnections.create("n1", "c", { peerAddress: silent });
  await refused;
  assert.equal((await engine.tcpConnections.list("n1")).length, 1);
});

test("a relay makes a node reachable, is seen at both ends, and owns its connection", async () => {
  const address = await create("n2");
  await create("n3");
  const relay = await engine.relays.create(
    "n3",
    "n3",
    { at: tcp(address), relayAddress: "" },
    { waitMs: 10_000 },
  );
  assert.equal(relay.resource.status.liveness.state, "active");
  const registration = await engine.relayRegistrations.get("n2", "n3");
  assert.equal(registration.status.address, "forward_to_n3");
  assert.match(registration.status.peerAddress, /^127\.0\.0\.1:\d+$/);
  const reply = await send("", `${tcp(address)}/service/forward_to_n3/service/uppercase`);
  assert.equal(reply.payload.subarray(1).toString(), "HELLO");
  const [connection] = await engine.tcpConnections.list("n3");
  assert.equal(connection?.status.owner, "relays/n3");
  await assert.rejects(engine.tcpConnections.delete("n3", connection!.id), { code: "owned_by_relay" });
  await engine.relays.delete("n3", "n3");
  assert.deepEqual(await engine.tcpConnections.list("n3"), []);
  await until(async () => (await engine.relayRegistrations.list("n2")).length === 0);
});

test("an outlet is reached through the node's own listener, and through a relay only behind a hop", async () => {
  const target = await listen((socket) => socket.end("ok"));
  const n2 = await create("n2");
  const n3 = await create("n3");
  await create("n1");
  await engine.services.create("n3", "", { kind: "hop" });
  await engine.relays.create("n3", "n3", { at: tcp(n2), relayAddress: "" }, { waitMs: 10_000 });
  await engine.outlets.create("n3", "", { target });
  const wait = { waitMs: 5_000 };
  const talk = async (to: string): Promise<string> => {
    const { resource } = await engine.inlets.create(
      "n1",
      "",
      { bindAddress: "", to, openTimeoutMs: 300 },
      wait,
    );
    const text = await new Promise<string>((resolve) => {
      let heard = "";
      const socket = net.connect(Number(resource.status.boundAddress.split(":")[1]), "127.0.0.1");
      socket.on("data", (data) => {
        heard += data;
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(heard));
    });
    await engine.inlets.delete("n1", resource.id);
    return text;
  };
  assert.equal(await talk(`${tcp(n3)}/service/outlet`), "ok");
  assert.equal(await talk(`${tcp(n2)}/service/forward_to_n3/service/hop/service/outlet`), "ok");
  assert.equal(await talk(`${tcp(n2)}/service/forward_to_n3/service/outlet`), "");
  assert.equal((await engine.nodes.get("n3")).status.messages.dropped["denied_by_policy"], 1);
});

const ends = {
  "is deleted": () => engine.nodes.delete("n1"),
  "is stopped": () => engine.nodes.stop("n1"),
  drains: () => engine.drain(1),
};

for (const [how, end] of Object.entries(ends)) {
  test(`what is being bound when its node ${how} is not made, and its port is free again`, async () => {
    const [first, second, third] = [await create("a"), await create("b"), await create("c")];
    for (const id of ["a", "b", "c"]) await engine.nodes.delete(id);
    await create("n1");
    const seen = changesSeen();
    const route = "/service/outlet";
    const outcomes = Promise.allSettled([
      engine.tcpListeners.create("n1", "late", { bindAddress: first }),
      engine.udpListeners.create("n1", "late", { bindAddress: first }),
      engine.inlets.create("n1", "late", { bindAddress: second, to: route }),
      engine.inlets.create("n1", "later", { bindAddress: third, to: `${tcp(first)}${route}` }),
    ]);
    // A call that is answered after those have begun.
    await engine.nodes.get("n1");
    await end();
    for (const outcome of await outcomes) {
      assert.equal(outcome.status === "rejected" && outcome.reason.code, "stopped");
    }
    assert.deepEqual(
      seen.filter((change) => /^added .* late/.test(change)),
      [],
    );
    await engine.close();
    engine = newEngine();
    for (const address of [first, second, third]) await create("", address);
    const [node] = await engine.nodes.list();
    await engine.udpListeners.create(node!.id, "", { bindAddress: first });
  });
}

test("what a node was asked for before its end is not made after it", async () => {
  const seen = changesSeen();
  await create("n1");
  const to = "/ip4/127.0.0.1/tcp/1";
  const creates = [
    engine.tcpConnections.create("n1", "", { peerAddress: "127.0.0.1:1" }),
    engine.udpConnections.create("n1", "", { peerAddress: "127.0.0.1:1" }),
    engine.services.create("n1", "", { kind: "hop" }),
    engine.relays.create("n1", "", { at: to, relayAddress: "" }),
    engine.outlets.create("n1", "", { target: "127.0.0.1:1" }),
  ];
  await engine.nodes.delete("n1");
  await Promise.all(creates);
  assert.equal(seen.at(-1), "deleted node n1");
});

test("a create that waits ends with what it made, and leaves what has its name then alone", async () => {
  const silent = await listen((socket) => socket.on("error", () => {}));
  const peerAddress = await create("n1");
  await create("n2");
  const wait = { waitMs: 20_000 };
  const to = `${tcp(silent)}/service/outlet`;
  const { tcpConnections, relays, inlets } = engine;
  const cases = [
    {
      of: tcpConnections,
      code: "tcp_connection_not_found",
      first: () => tcpConnections.create("n2", "x", { peerAddress: silent }, wait),
      second: () => tcpConnections.create("n2", "x", { peerAddress }, wait),
    },
    {
      of: relays,
      code: "relay_not_found",
      first: () => relays.create("n2", "x", { at: tcp(silent), relayAddress: "" }, wait),
      second: () => relays.create("n2", "x", { at: tcp(peerAddress), relayAddress: "" }, wait),
    },
    {
      of: inlets,
      code: "inlet_not_found",
      first: () => inlets.create("n2", "x", { bindAddress: "", to }, wait),
      second: () => inlets.create("n2", "x", { bindAddress: "", to: `${tcp(peerAddress)}/service/x` }, wait),
    },
  ];
  for (const { of, code, first, second } of cases) {
    const waiting = assert.rejects(first(), { code, message: /was deleted before it was up/ });
    await until(async () => (await of.list("n2")).length === 1);
    await of.delete("n2", "x");
    const { resource } = await second();
    await waiting;
    assert.equal((await of.get("n2", "x")).uid, resource.uid);
    await of.delete("n2", "x");
  }
});

test("a create that is cancelled while it waits leaves nothing of what it made", async () => {
  const silent = await listen((socket) => socket.on("error", () => {}));
  await create("n1");
  const workers = (await engine.workers.list("n1")).length;
  const { tcpConnections, relays, inlets } = engine;
  const to = `${tcp(silent)}/service/outlet`;
  type Wait = { readonly waitMs: number; readonly signal: AbortSignal };
  for (const make of [
    (wait: Wait) => tcpConnections.create("n1", "", { peerAddress: silent }, wait),
    (wait: Wait) => relays.create("n1", "", { at: tcp(silent), relayAddress: "" }, wait),
    (wait: Wait) => inlets.create("n1", "", { bindAddress: "", to }, wait),
  ]) {
    for (const when of ["before", "meanwhile"]) {
      const cancel = new AbortController();
      if (when === "before") cancel.abort(new Error("changed my mind"));
      const made = assert.rejects(make({ waitMs: 20_000, signal: cancel.signal }), /changed my mind/);
      if (when === "meanwhile") await until(async () => (await engine.workers.list("n1")).length > workers);
      cancel.abort(new Error("changed my mind"));
      await made;
      assert.deepEqual([await relays.list("n1"), await inlets.list("n1")], [[], []]);
      assert.equal((await engine.workers.list("n1")).length, workers);
    }
  }
});

test("a create that is cancelled leaves what another create was answered with or waits for", async () => {
  const silent = await listen((socket) => socket.on("error", () => {}));
  await create("n1");
  const workers = (await engine.workers.list("n1")).length;
  const { tcpConnections, relays, inlets } = engine;
  const to = `${tcp(silent)}/service/outlet`;
  for (const { of, make } of [
    {
      of: tcpConnections,
      make: (wait: WaitOptions) => tcpConnections.create("n1", "x", { peerAddress: silent }, wait),
    },
    {
      of: relays,
      make: (wait: WaitOptions) => relays.create("n1", "x", { at: tcp(silent), relayAddress: "" }, wait),
    },
    { of: inlets, make: (wait: WaitOptions) => inlets.create("n1", "x", { bindAddress: "", to }, wait) },
  ]) {
    const reason = new Error("changed my mind");
    const one = new AbortController();
    const first = assert.rejects(make({ waitMs: 20_000, signal: one.signal }), reason);
    await until(async () => (await of.list("n1")).length === 1);
    const other = new AbortController();
    const second = assert.rejects(make({ waitMs: 20_000, signal: other.signal }), reason);
    one.abort(reason);
    await first;
    assert.equal((await of.list("n1")).length, 1);
    const { resource } = await make({});
    other.abort(reason);
    await second;
    assert.equal((await of.get("n1", "x")).uid, resource.uid);
    await of.delete("n1", "x");

    const { signal } = other;
    const waiting = new AbortController();
    const third = assert.rejects(make({ waitMs: 20_000, signal: waiting.signal }), reason);
    await until(async () => (await of.list("n1")).length === 1);
    await assert.rejects(make({ waitMs: 20_000, signal }), reason);
    waiting.abort(reason);
    await third;
    assert.deepEqual(await of.list("n1"), []);
  }
  assert.equal((await engine.workers.list("n1")).length, workers);
});

test("a cancelled create does not take the connection of a relay away that has its id", async () => {
  const silent = await listen((socket) => socket.on("error", () => {}));
  await create("n1");
  await engine.relays.create("n1", "r", { at: tcp(silent), relayAddress: "" });
  const [connection] = await engine.tcpConnections.list("n1");
  const cancel = new AbortController();
  const wait = { waitMs: 20_000, signal: cancel.signal };
  const made = engine.tcpConnections.create("n1", connection!.id, { peerAddress: silent }, wait);
  const refused = assert.rejects(made, /changed my mind/);
  cancel.abort(new Error("changed my mind"));
  await refused;
  assert.equal((await engine.tcpConnections.list("n1")).length, 1);
});

test("the change log tells of every change, in order", async () => {
  const seen = changesSeen();
  await create("n1");
  await engine.services.create("n1", "", { kind: "hop" });
  await engine.outlets.create("n1", "o", { target: "127.0.0.1:1" });
  await engine.outlets.delete("n1", "o");
  await engine.nodes.delete("n1");
  assert.deepEqual(seen, [
    "added service uppercase",
    "added service echo",
    "added tcp_listener node",
    "added node n1",
    "added service hop",
    "added outlet o",
    "deleted outlet o",
    "deleted tcp_listener node",
    "deleted service uppercase",
    "deleted service echo",
    "deleted service hop",
    "deleted node n1",
  ]);
});

test("a daemon that drains accepts nothing new and waits for open sessions", async () => {
  const target = await listen((socket) => socket.on("error", () => {}));
  const address = await create("n1");
  await engine.outlets.create("n1", "", { target });
  const to = `${tcp(address)}/service/outlet`;
  const { resource } = await engine.inlets.create("n1", "", { bindAddress: "", to }, { waitMs: 5_000 });
  const client = net.connect(Number(resource.status.boundAddress.split(":")[1]), "127.0.0.1");
  client.on("error", () => {});
  await until(async () => (await engine.inlets.get("n1", resource.id)).status.sessions.open === 1);
  const late = engine.nodes.create("late", { tcpListenerAddress: "localhost:0" });
  let drained = false;
  const draining = engine.drain(60_000).then(() => {
    drained = true;
  });
  await assert.rejects(late, { code: "draining" });
  await assert.rejects(engine.nodes.create("n9", spec), { code: "draining" });
  await assert.rejects(engine.outlets.create("n1", "late", { target: "127.0.0.1:1" }), { code: "draining" });
  assert.equal((await engine.nodes.get("n1")).status.state, "draining");
  assert.equal(drained, false);
  client.end();
  await draining;
});
