import assert from "node:assert/strict";
import dns, { type LookupAddress } from "node:dns";
import { once } from "node:events";
import net from "node:net";
import { describe, type TestContext, test } from "node:test";
import { waitingBytes } from "../../src/base/kernel-queue.js";
import { deferred } from "../../src/base/signals.js";
import { type AcceptedSocket, ByteServer, ByteSocket, type ByteSocketUser } from "../../src/base/socket.js";

const timeout = 20_000;
/** More than a peer's system takes for a program that reads nothing, and less than ours does. */
const sentBytes = 600_000;

/** Keeps what it is told. */
class Recorder implements ByteSocketUser {
  readonly room = Buffer.alloc(4_096, 0xee);
  readonly pieces: Buffer[] = [];
  isEnded = false;
  writes = 0;
  ends = 0;
  error: Error | undefined;
  onRead: () => void = () => {};
  readonly end = deferred<void>();
  readonly gone = deferred<void>();
  #drained = deferred<void>();

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  readBuffer(): Buffer {
    return this.room;
  }

  read(length: number): void {
    this.pieces.push(Buffer.from(this.room.subarray(0, length)));
    this.onRead();
  }

  ended(): void {
    this.isEnded = true;
    this.end.resolve();
  }

  written(): void {
    this.writes += 1;
    this.#drained.resolve();
    this.#drained = deferred();
  }

  closed(error: Error | undefined): void {
    this.ends += 1;
    this.error = error;
    this.gone.resolve();
  }
}

for (const plainSockets of [false, true]) {
  /** A socket of ours, dialed or accepted, and a plain one of Node at the other end. */
  async function connect(t: TestContext, side: "dialed" | "accepted") {
    const user = new Recorder();
    let socket!: ByteSocket;
    let peer: net.Socket;
    if (side === "accepted") {
      const accepted = deferred<AcceptedSocket>();
      const server = await ByteServer.listen({ host: "127.0.0.1", port: 0, plainSockets }, accepted.resolve);
      t.after(() => server.close());
      peer = net.connect({ host: server.host, port: server.port, allowHalfOpen: true });
      socket = ByteSocket.accepted(await accepted.promise, user);
      if (peer.connecting) await once(peer, "connect");
    } else {
      const server = net.createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
      t.after(() => server.close());
      await once(server, "listening");
      const { port } = server.address() as net.AddressInfo;
      const accepted = once(server, "connection");
      const connected = deferred<ByteSocket>();
      ByteSocket.dial({ host: "127.0.0.1", port, plainSockets }, user, connected.resolve);
      socket = await connected.promise;
      [peer] = (await accepted) as [net.Socket];
    }
    peer.on("error", () => {});
    t.after(() => {
      peer.destroy();
      socket.destroy();
    });
    return { user, socket, peer };
  }

  describe(plainSockets ? "a byte socket with documented interfaces" : "a byte socket", () => {
    test("reads what the second address of a name sends when nothing listens at the first", {
      timeout,
    }, async (t) => {
      const server = net.createServer((peer) => peer.end("hello")).listen(0, "127.0.0.1");
      t.after(() => server.close());
      await once(server, "listening");
      const { port } = server.address() as net.AddressInfo;
      const addresses = ["127.0.0.2", "127.0.0.1"].map((address) => ({ address, family: 4 }));
      const lookup = (_: string, __: object, done: (error: null, found: LookupAddress[]) => void): void => {
        process.nextTick(done, null, addresses);
      };
      t.mock.method(dns, "lookup", lookup as unknown as typeof dns.lookup);
      const user = new Recorder();
      const dialed = ByteSocket.dial({ host: "several.invalid", port, plainSockets }, user, (socket) =>
        socket.resume(),
      );
      t.after(() => dialed.destroy());
      await user.end.promise;
      assert.equal(user.bytes.toString(), "hello");
    });

    for (const side of ["dialed", "accepted"] as const) {
      test(`reads nothing before it is resumed (${side})`, { timeout }, async (t) => {
        const { user, socket, peer } = await connect(t, side);
        peer.end("hello");
        for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
        assert.equal(user.bytes.byteLength, 0);
        socket.resume();
        await user.end.promise;
        assert.equal(user.bytes.toString(), "hello");
        assert.deepEqual(socket.peer, { host: "127.0.0.1", port: (peer.address() as net.AddressInfo).port });
        assert.deepEqual(socket.local, { host: "127.0.0.1", port: peer.remotePort });
      });

      test(`is given nothing after it has paused inside a read (${side})`, { timeout }, async (t) => {
        const { user, socket, peer } = await connect(t, side);
        const sent = Buffer.alloc(300_000).map((_, at) => at % 253);
        let paused = false;
        let wrong = 0;
        user.onRead = () => {
          if (paused) wrong += 1;
          paused = true;
          socket.pause();
          setImmediate(() => {
            paused = false;
            socket.resume();
          });
        };
        peer.end(sent);
        socket.resume();
        await user.end.promise;
        assert.ok(user.bytes.equals(sent));
        assert.equal(wrong, 0);
      });

      test(`tells whether the kernel took a write at once, and when it has (${side})`, {
        timeout,
      }, async (t) => {
        const { user, socket, peer } = await connect(t, side);
        assert.equal(socket.writeAll([Buffer.from("a"), Buffer.from("b"), Buffer.from("c")]), true);
        assert.equal(socket.isBusy, false);
        assert.equal(socket.progress, 0);
        const large = Buffer.alloc(20 * 1024 * 1024, 7);
        assert.equal(socket.write(large), false);
        assert.equal(socket.isBusy, true);
        const before = socket.progress;
        assert.ok(before > 0);
        const drained = user.drained;
        let received = 0;
        let last: number | undefined;
        peer.on("data", (data: Buffer) => {
          received += data.byteLength;
          last = data.at(-1);
        });
        if (!plainSockets) {
          // The handle tells of what left while the rest of the write is still under way.
          while (socket.progress === before) await new Promise(setImmediate);
          assert.ok(socket.progress > 0 && socket.progress < before);
          assert.equal(socket.isBusy, true);
        }
        await drained;
        assert.equal(socket.progress, 0);
        assert.equal(socket.isBusy, false);
        assert.equal(user.writes, 1);
        const end = once(peer, "end");
        socket.release(true);
        await end;
        assert.equal(received, 3 + large.byteLength);
        assert.equal(last, 7);
      });

      test(`reads on after the peer has ended its direction only (${side})`, { timeout }, async (t) => {
        const { user, socket, peer } = await connect(t, side);
        socket.resume();
        peer.end("last words");
        await user.end.promise;
        socket.write(Buffer.from("answer"));
        const freed = deferred<void>();
        socket.release(true, freed.resolve);
        const [answer] = (await once(peer, "data")) as [Buffer];
        assert.equal(answer.toString(), "answer");
        await freed.promise;
        assert.equal(user.ends, 0);
      });

      test(`reports a reset of the peer as an error, once (${side})`, { timeout }, async (t) => {
        const { user, socket, peer } = await connect(t, side);
        socket.resume();
        peer.resetAndDestroy();
        await user.gone.promise;
        assert.equal((user.error as NodeJS.ErrnoException).code, "ECONNRESET");
        assert.equal(socket.write(Buffer.from("x")), true);
        socket.destroy();
        assert.equal(user.ends, 1);
      });

      test(`resets the connection when asked to (${side})`, { timeout }, async (t) => {
        const { user, socket, peer } = await connect(t, side);
        const error = once(peer, "error") as Promise<[NodeJS.ErrnoException]>;
        peer.resume();
        socket.reset();
        assert.equal((await error)[0].code, "ECONNRESET");
        assert.equal(user.ends, 0);
      });

      test(`after an orderly release the peer gets all, and its bytes reach no buffer of the user (${side})`, {
        timeout,
      }, async (t) => {
        const { user, socket, peer } = await connect(t, side);
        socket.resume();
        peer.write("one");
        await new Promise<void>((resolve) => {
          user.onRead = resolve;
        });
        socket.pause();
        const pieces: Buffer[] = [];
        peer.on("data", (data: Buffer) => pieces.push(data));
        assert.equal(socket.write(Buffer.from("all of it")), true);
        const freed = deferred<void>();
        socket.release(true, freed.resolve);
        user.room.fill(0xee);
        peer.write(Buffer.alloc(200_000, 1));
        await once(peer, "end");
        peer.end();
        await freed.promise;
        assert.equal(Buffer.concat(pieces).toString(), "all of it");
        assert.ok(user.room.every((byte) => byte === 0xee));
        assert.equal(user.bytes.toString(), "one");
        assert.equal(user.ends, 0);
      });

      test(`after an orderly release a slow peer that speaks meanwhile gets all (${side})`, {
        timeout,
        skip: (plainSockets || process.platform !== "linux") && "nobody tells what the peer has taken",
      }, async (t) => {
        const { socket, peer } = await connect(t, side);
        peer.pause();
        assert.equal(socket.write(Buffer.alloc(sentBytes)), true);
        t.mock.timers.enable({ apis: ["setTimeout"] });
        socket.release(true);
        t.mock.timers.tick(1_000);
        // One reading comes after the other: that of the look is over when another one is.
        const { fd } = (peer as unknown as { _handle: { fd: number } })._handle;
        for (let left = 2; left > 0; left -= 1) await waitingBytes(fd);
        await new Promise<void>((resolve) => void setImmediate(resolve));
        peer.write("still here");
        let receivedBytes = 0;
        peer.on("data", (data: Buffer) => {
          receivedBytes += data.length;
        });
        peer.resume();
        await once(peer, "end");
        assert.equal(receivedBytes, sentBytes);
      });

      test(`a release that is not orderly says when the bytes of a write are free (${side})`, {
        timeout,
      }, async (t) => {
        const { user, socket } = await connect(t, side);
        assert.equal(socket.write(Buffer.alloc(20 * 1024 * 1024)), false);
        const freed = deferred<void>();
        let isFree = false;
        socket.release(false, () => {
          isFree = true;
          freed.resolve();
        });
        assert.equal(isFree, false);
        await freed.promise;
        assert.equal(user.writes, 0);
        assert.equal(user.ends, 0);
      });
    }

    test("a socket that is gone frees at once", { timeout }, async (t) => {
      const { user, socket, peer } = await connect(t, "dialed");
      socket.resume();
      peer.resetAndDestroy();
      await user.gone.promise;
      let isFree = false;
      socket.release(false, () => (isFree = true));
      assert.equal(isFree, true);
    });

    test("each who releases a socket is told when its bytes are free", { timeout }, async (t) => {
      const { socket } = await connect(t, "dialed");
      assert.equal(socket.write(Buffer.alloc(20 * 1024 * 1024)), false);
      const freed = [deferred<void>(), deferred<void>()];
      for (const { resolve } of freed) socket.release(false, resolve);
      await Promise.all(freed.map(({ promise }) => promise));
    });

    test("a socket that is closed before it is connected does not say that it is", { timeout }, async (t) => {
      const server = net.createServer().listen(0, "127.0.0.1");
      t.after(() => server.close());
      await once(server, "listening");
      const { port } = server.address() as net.AddressInfo;
      const accepted = once(server, "connection");
      const addresses = ["127.0.0.2", "127.0.0.1"].map((address) => ({ address, family: 4 }));
      const lookup = (_: string, __: object, done: (error: null, found: LookupAddress[]) => void): void => {
        process.nextTick(done, null, addresses);
      };
      t.mock.method(dns, "lookup", lookup as unknown as typeof dns.lookup);
      const user = new Recorder();
      const dialed = { host: "127.0.0.1", port, plainSockets };
      const socket = ByteSocket.dial(dialed, user, () => assert.fail("connected"));
      const freed = deferred<void>();
      socket.release(true, freed.resolve);
      socket.keepAlive();
      const [peer] = (await accepted) as [net.Socket];
      peer.resume().end();
      await freed.promise;
      socket.keepAlive();
      assert.equal(user.ends, 0);
    });

    test("a dial that fails is told as closed, with the error", { timeout }, async () => {
      const server = await ByteServer.listen({ host: "127.0.0.1", port: 0 }, () => {});
      const { host, port } = server;
      server.close();
      const user = new Recorder();
      ByteSocket.dial({ host, port, plainSockets }, user, () => assert.fail("connected"));
      await user.gone.promise;
      assert.equal((user.error as NodeJS.ErrnoException).code, "ECONNREFUSED");
    });

    test("a dial can be given up before it has connected", { timeout }, async () => {
      for (const end of ["destroy", "reset", "release"] as const) {
        const user = new Recorder();
        const dialed = { host: "127.0.0.1", port: 9, plainSockets };
        const socket = ByteSocket.dial(dialed, user, () => assert.fail("connected"));
        const freed = deferred<void>();
        if (end === "release") socket.release(false, freed.resolve);
        else {
          socket[end]();
          socket.release(false, freed.resolve);
        }
        await freed.promise;
        assert.equal(user.ends, 0);
      }
    });
  });
}

describe("a byte server", () => {
  test("hands out handles, which are read without a copy, unless it is told not to", {
    timeout,
  }, async (t) => {
    for (const plainSockets of [false, true]) {
      const accepted = deferred<AcceptedSocket>();
      const server = await ByteServer.listen({ host: "127.0.0.1", port: 0, plainSockets }, accepted.resolve);
      t.after(() => server.close());
      const peer = net.connect(server.port, server.host);
      const { handle, socket } = await accepted.promise;
      assert.equal(handle !== undefined, !plainSockets);
      assert.equal(socket !== undefined, plainSockets);
      ByteSocket.accepted({ ...(handle && { handle }), ...(socket && { socket }) }, new Recorder()).destroy();
      peer.destroy();
    }
  });

  test("says in words why it can't listen", { timeout }, async (t) => {
    const listen = (host: string, port: number) => ByteServer.listen({ host, port }, () => {});
    const server = await listen("127.0.0.1", 0);
    t.after(() => server.close());
    await assert.rejects(listen("127.0.0.1", server.port), {
      code: "address_in_use",
      message: `can't listen on 127.0.0.1:${server.port}: the port is in use`,
    });
    await assert.rejects(listen("192.0.2.1", 0), {
      code: "address_not_available",
      message: "can't listen on 192.0.2.1:0: this machine has no such address",
    });
    await assert.rejects(listen("nowhere.invalid", 4000), (error: Error & { code?: string }) => {
      return (
        error.code === "address_not_available" &&
        error.message.startsWith("can't listen on nowhere.invalid:4000: ")
      );
    });
  });
});
