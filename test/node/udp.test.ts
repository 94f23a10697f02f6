import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { silentLog } from "../../src/base/log.js";
import { decodeBareBytes, encodeBareBytes } from "../../src/model/bare.js";
import type { Engine } from "../../src/node/engine.js";
import { createEngine } from "../../src/node/host.js";

let engine: Engine;

beforeEach(() => {
  engine = createEngine({ log: () => silentLog, logPath: () => "" });
});

afterEach(() => engine.close());

const at = (protocol: "tcp" | "udp", address: string): string => {
  const [host, port] = address.split(":");
  return `/ip4/${host}/${protocol}/${port}`;
};

async function createNode(id: string): Promise<string> {
  return (await engine.nodes.create(id, { tcpListenerAddress: "" })).resource.status.tcpListenerAddress;
}

/** A UDP listener of the node; gives its `ip:port`. */
async function listen(node: string, id = ""): Promise<string> {
  const { resource } = await engine.udpListeners.create(node, id, { bindAddress: "127.0.0.1:0" });
  return resource.status.boundAddress;
}

async function send(node: string, to: string, text = "hello"): Promise<string> {
  const payload = encodeBareBytes(Buffer.from(text));
  const reply = await engine.sendMessage({ node, to, payload, timeoutMs: 5_000 }, {});
  return decodeBareBytes(Buffer.from(reply.payload)).toString();
}

test("a message goes to a node over UDP, and the reply comes back", async () => {
  await createNode("n1");
  await createNode("n2");
  const where = at("udp", await listen("n2"));
  assert.equal(await send("n1", `${where}/service/uppercase`), "HELLO");
  assert.equal(await send("", `${where}/service/echo`), "hello");
  assert.equal(
    await send("", `${where.replace("ip4/127.0.0.1", "dnsaddr/localhost")}/service/echo`),
    "hello",
  );
  const large = "x".repeat(200_000);
  assert.equal(await send("n1", `${where}/service/echo`, large), large);
});

test("the bridge: n1 reaches n2 over UDP, n2 reaches n3 over TCP, and the reply comes back", async () => {
  await createNode("n1");
  await createNode("n2");
  const n3 = await createNode("n3");
  await engine.services.create("n2", "hop", { kind: "hop" });
  const { resource: far } = await engine.tcpConnections.create(
    "n2",
    "",
    { peerAddress: n3 },
    { waitMs: 5_000 },
  );
  const tail = `/service/hop/worker/${far.status.workerAddress}/service/uppercase`;
  const listener = await listen("n2");
  assert.equal(await send("n1", `${at("udp", listener)}${tail}`), "HELLO");
  const { resource: near } = await engine.udpConnections.create(
    "n1",
    "",
    { peerAddress: listener },
    { waitMs: 5_000 },
  );
  assert.equal(await send("n1", `/worker/${near.status.workerAddress}${tail}`), "HELLO");
});

test("a UDP connection is there until it is deleted, and says what it is connected to", async () => {
  await createNode("n1");
  await createNode("n2");
  const peerAddress = await listen("n2", "l");
  const spec = { peerAddress };
  const { resource, existed } = await engine.udpConnections.create("n1", "c", spec, { waitMs: 5_000 });
  assert.equal(existed, false);
  assert.equal(resource.status.peerAddress, peerAddress);
  assert.equal(resource.status.origin, "created");
  assert.equal(resource.status.liveness.state, "active");
  assert.deepEqual(resource.status.lost, {});
  assert.equal((await engine.udpConnections.create("n1", "c", spec)).existed, true);
  await assert.rejects(engine.udpConnections.create("n1", "c", { peerAddress: "127.0.0.1:1" }), {
    code: "already_exists",
    message: /the UDP connection "c" exists already/,
  });
  const [accepted] = await engine.udpConnections.list("n2");
  assert.equal(accepted?.status.origin, "accepted");
  assert.equal(accepted?.status.peerAddress, resource.status.localAddress);
  assert.equal((await engine.udpListeners.get("n2", "l")).status.openConnections, 1);
  assert.deepEqual(await engine.tcpConnections.list("n1"), []);
  await engine.udpConnections.delete("n1", "c");
  await assert.rejects(engine.udpConnections.get("n1", "c"), {
    code: "udp_connection_not_found",
    message: 'the UDP connection "c" was not found on node n1',
  });
});

test("a UDP listener is there until it is deleted", async () => {
  await createNode("n1");
  await createNode("n2");
  const where = await listen("n2", "l");
  assert.deepEqual(
    (await engine.udpListeners.list("n2")).map(({ id, status }) => [
      id,
      status.boundAddress,
      status.isNodeListener,
    ]),
    [["l", where, false]],
  );
  await assert.rejects(engine.udpListeners.create("n1", "", { bindAddress: where }), {
    code: "address_in_use",
  });
  await engine.udpListeners.delete("n2", "l");
  await assert.rejects(engine.udpListeners.get("n2", "l"), { code: "udp_listener_not_found" });
  await assert.rejects(send("n1", `${at("udp", where)}/service/echo`), {
    code: "connect_failed",
    message: `can't connect to ${where}: nothing listens there (connection refused)`,
  });
});

test("a connection keeps its worker address while its peer is away, and is back when the peer is", async () => {
  await createNode("n1");
  await createNode("n2");
  const where = await listen("n2", "l");
  const created = await engine.udpConnections.create("n1", "c", { peerAddress: where }, { waitMs: 5_000 });
  const worker = created.resource.status.workerAddress;
  await engine.nodes.stop("n2");
  const links = async (): Promise<number> => (await engine.udpConnections.get("n1", "c")).status.links;
  const isUp = async (): Promise<boolean> =>
    (await engine.udpConnections.get("n1", "c")).status.peerAddress !== "";
  await until(async () => !(await isUp()));
  await engine.nodes.start("n2");
  await engine.udpListeners.create("n2", "l", { bindAddress: where });
  await until(async () => (await isUp()) && (await links()) === 2);
  assert.equal(await send("n1", `/worker/${worker}/service/uppercase`), "HELLO");
});

test("an inlet along a route over UDP is refused, and the error says which hop it is", async () => {
  await createNode("n1");
  await createNode("n2");
  const where = await listen("n2");
  const inlet = (to: string) => engine.inlets.create("n1", "i", { bindAddress: "127.0.0.1:0", to });
  await assert.rejects(inlet(`${at("udp", where)}/service/outlet`), {
    code: "unreliable_route",
    message:
      `a portal can't go along "${at("udp", where)}/service/outlet": ` +
      `messages may be lost on the way through ${where} over UDP`,
  });
  const { resource } = await engine.udpConnections.create(
    "n1",
    "",
    { peerAddress: where },
    { waitMs: 5_000 },
  );
  const { workerAddress } = resource.status;
  await engine.services.create("n1", "hop", { kind: "hop" });
  for (const to of [
    `/worker/${workerAddress}/service/outlet`,
    `/service/hop/worker/${workerAddress}/service/outlet`,
  ]) {
    await assert.rejects(inlet(to), {
      code: "unreliable_route",
      message: `a portal can't go along "${to}": messages may be lost on the way through the UDP connection ${workerAddress}`,
    });
  }
  assert.deepEqual(await engine.inlets.list("n1"), []);
});

test("an outlet opens no session for what has come over UDP, and counts it", async () => {
  await createNode("n2");
  await engine.outlets.create("n2", "outlet", { target: "127.0.0.1:9" });
  const where = await listen("n2");
  // The first byte of a ping: what opens a session.
  const ping = engine.sendMessage(
    { node: "", to: `${at("udp", where)}/service/outlet`, payload: Uint8Array.of(0), timeoutMs: 5_000 },
    {},
  );
  ping.catch(() => {});
  await until(
    async () => (await engine.outlets.get("n2", "outlet")).status.sessions.failed["unreliable_route"] === 1,
  );
});

test("a portal is refused along a route whose hop over UDP is between two other nodes, at both ends", async () => {
  for (const node of ["n1", "n2", "n3", "n4"]) await createNode(node);
  for (const node of ["n2", "n3"]) await engine.services.create(node, "hop", { kind: "hop" });
  const connect = async (from: string, to: string): Promise<string> => {
    const { tcpListenerAddress } = (await engine.nodes.get(to)).status;
    const spec = { peerAddress: tcpListenerAddress };
    const { resource } = await engine.tcpConnections.create(from, "", spec, { waitMs: 5_000 });
    return resource.status.workerAddress;
  };
  const udp = await engine.udpConnections.create(
    "n2",
    "",
    { peerAddress: await listen("n3") },
    { waitMs: 5_000 },
  );
  const middle = udp.resource.status.workerAddress;
  assert.match(middle, /^udp_[0-9a-f]{32}$/);
  const way =
    `/worker/${await connect("n1", "n2")}/service/hop/worker/${middle}` +
    `/service/hop/worker/${await connect("n3", "n4")}`;
  assert.equal(await send("n1", `${way}/service/uppercase`), "HELLO");
  await assert.rejects(engine.inlets.create("n1", "i", { bindAddress: "", to: `${way}/service/outlet` }), {
    code: "unreliable_route",
    message: new RegExp(`through the UDP connection ${middle}$`),
  });
  await engine.outlets.create("n4", "outlet", { target: "127.0.0.1:9" });
  const ping = engine.sendMessage(
    { node: "n1", to: `${way}/service/outlet`, payload: Uint8Array.of(0), timeoutMs: 5_000 },
    {},
  );
  ping.catch(() => {});
  await until(
    async () => (await engine.outlets.get("n4", "outlet")).status.sessions.failed["unreliable_route"] === 1,
  );
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 15_000;
  while (!(await isSo())) {
    if (Date.now() > endMs) throw new Error(`not so in time: ${isSo}`);
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }
}
