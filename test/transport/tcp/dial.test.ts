import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, type TestContext, test } from "node:test";
import { PortwayError } from "../../../src/base/errors.js";
import type { SocketAddress } from "../../../src/model/socket-address.js";
import type { TcpOptions } from "../../../src/transport/tcp/tcp-options.js";
import { TcpTransport } from "../../../src/transport/tcp/tcp-transport.js";
import { CollectingUser } from "../../suites/collecting-user.js";

const timeout = 20_000;

/** A TCP server that is no node; `serve` gets each connection. */
async function stranger(t: TestContext, serve: (socket: net.Socket) => void): Promise<SocketAddress> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port };
}

/** Dials, and expects a failure whose text ends with `why`. */
async function failsTo(
  t: TestContext,
  peer: SocketAddress,
  options: TcpOptions,
  why: RegExp,
  code = "connect_failed",
): Promise<void> {
  const transport = new TcpTransport(options);
  t.after(() => transport.close());
  const where = `${peer.host}:${peer.port}`;
  await assert.rejects(
    transport.dial(peer, () => assert.fail("attached")),
    (error: unknown) => {
      assert.ok(error instanceof PortwayError);
      assert.equal(error.code, code);
      assert.equal(error.facts["peer"], where);
      const start = `can't connect to ${where}: `;
      assert.ok(error.message.startsWith(start), error.message);
      assert.match(error.message.slice(start.length), why);
      return true;
    },
  );
}

for (const plainSockets of [false, true]) {
  describe(plainSockets ? "a dial on plain sockets" : "a dial", () => {
    test("to a port where nothing listens says so", { timeout }, async (t) => {
      const server = net.createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as net.AddressInfo;
      server.close();
      for (const host of ["127.0.0.1", "localhost"]) {
        await failsTo(t, { host, port }, { plainSockets }, /^nothing listens there \(connection refused\)$/);
      }
    });

    test("to an unknown host says so", { timeout }, async (t) => {
      const why = /^(the host is unknown|the name of the host could not be looked up; try again later)$/;
      await failsTo(t, { host: "nowhere.invalid", port: 4000 }, { plainSockets, dialTimeoutMs: 15_000 }, why);
    });

    test("to a port that can't be one says so and leaves nothing behind", { timeout }, async (t) => {
      await failsTo(t, { host: "127.0.0.1", port: 70_000 }, { plainSockets }, /65536/);
    });

    test("to a listener that accepts and says nothing ends after the dial timeout", {
      timeout,
    }, async (t) => {
      let ended: Promise<unknown> | undefined;
      const peer = await stranger(t, (socket) => {
        ended = once(socket, "close");
        socket.resume();
      });
      const why = /^it said nothing within 250 ms; is there a node at that address\?$/;
      await failsTo(t, peer, { plainSockets, dialTimeoutMs: 250 }, why, "timed_out");
      await ended;
    });

    test("to what speaks another protocol says so", { timeout }, async (t) => {
      const peer = await stranger(t, (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
      await failsTo(t, peer, { plainSockets }, /^what answers there is not a node/);
    });

    test("to what closes at once says so", { timeout }, async (t) => {
      const peer = await stranger(t, (socket) => socket.end());
      await failsTo(t, peer, { plainSockets }, /^it closed the connection before its first byte/);
    });

    test("to what resets at once says so", { timeout }, async (t) => {
      const peer = await stranger(t, (socket) => socket.resetAndDestroy());
      await failsTo(t, peer, { plainSockets }, /^the connection was reset$/);
    });

    test("that its signal ends leaves no connection and no timer", { timeout }, async (t) => {
      const closed: Promise<unknown>[] = [];
      const connected: (() => void)[] = [];
      const peer = await stranger(t, (socket) => {
        closed.push(once(socket, "close"));
        socket.resume();
        for (const wake of connected.splice(0)) wake();
      });
      const transport = new TcpTransport({ plainSockets, dialTimeoutMs: 3_600_000 });
      t.after(() => transport.close());
      const reason = new PortwayError("canceled", "enough");
      const controller = new AbortController();
      const dial = transport.dial(peer, () => assert.fail("attached"), { signal: controller.signal });
      await new Promise<void>((resolve) => connected.push(resolve));
      controller.abort(reason);
      await assert.rejects(dial, reason);
      await Promise.all(closed);
    });

    test("to a name reaches the node", { timeout }, async (t) => {
      const [dialing, listening] = [new TcpTransport({ plainSockets }), new TcpTransport({ plainSockets })];
      const users: CollectingUser[] = [];
      const attach = (): CollectingUser => {
        const user = new CollectingUser();
        users.push(user);
        return user;
      };
      t.after(() => {
        dialing.close();
        listening.close();
      });
      const listener = await listening.listen({ host: "localhost", port: 0 }, attach);
      const connection = await dialing.dial({ host: "localhost", port: listener.bound.port }, attach);
      assert.deepEqual(connection.peer, listener.bound);
      connection.close();
      await Promise.all(users.map((user) => user.end));
    });
  });
}
