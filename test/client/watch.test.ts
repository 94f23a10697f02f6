import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { MessageService } from "../../gen/portway/v1/message_service_pb.js";
import {
  NodeService,
  WatchNodesRequestSchema,
  type WatchNodesResponse,
  WatchNodesResponseSchema,
} from "../../gen/portway/v1/node_service_pb.js";
import { PortalService } from "../../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../../gen/portway/v1/relay_service_pb.js";
import { WatchEventType } from "../../gen/portway/v1/resource_pb.js";
import { SystemService } from "../../gen/portway/v1/system_service_pb.js";
import * as browser from "../../src/client/browser-client.js";
import { failureOf } from "../../src/client/errors.js";
import { createChannel, createPortwayClient } from "../../src/client/node-client.js";
import { watchNodes } from "../../src/client/watch.js";
import { type Answer, answerError, answerStream, envelope, fakeDaemon } from "./fake-daemon.js";
import { fakePace } from "./fake-pace.js";

const { ADDED, MODIFIED, DELETED, SYNCED, BOOKMARK } = WatchEventType;

const typeNames = new Map<number, string>(Object.entries(WatchEventType).map(([name, type]) => [type, name]));

function bytes(init: MessageInitShape<typeof WatchNodesResponseSchema>): Uint8Array {
  return toBinary(WatchNodesResponseSchema, create(WatchNodesResponseSchema, init));
}

const event = (type: WatchEventType, revision: string, name?: string): Uint8Array =>
  bytes({ type, revision, ...(name !== undefined && { node: { name: `nodes/${name}` } }) });

const draining = { code: "unavailable", message: "draining" };

function said({ type, revision, node }: WatchNodesResponse): string {
  return `${typeNames.get(type)} ${node?.name.slice("nodes/".length) ?? "-"} ${revision || "-"}`;
}

/** The events up to the first whose revision is `last`. */
async function until(last: string, events: AsyncIterable<WatchNodesResponse>): Promise<string[]> {
  const heard: string[] = [];
  for await (const one of events) {
    heard.push(said(one));
    if (one.revision === last) break;
  }
  return heard;
}

function startRevisions(asked: readonly { readonly body: Buffer }[]): string[] {
  return asked.map(({ body }) => fromBinary(WatchNodesRequestSchema, body.subarray(5)).startRevision);
}

test("a stream is read message by message, and says how it failed", async () => {
  const end = { code: "not_found", message: "no such node" };
  await using daemon = await fakeDaemon(answerStream([event(ADDED, "", "a"), event(SYNCED, "e-1")], end));
  const targets = [
    () => createPortwayClient({ socketPath: daemon.socketPath }).nodes,
    () => createChannel({ socketPath: daemon.socketPath }).client(NodeService),
    () => browser.createChannel({ baseUrl: daemon.baseUrl, token: "t" }).client(NodeService),
  ];
  for (const nodes of targets) {
    const heard: string[] = [];
    const read = async (): Promise<void> => {
      for await (const one of nodes().watchNodes({})) heard.push(said(one));
    };
    await assert.rejects(read(), (error) => failureOf(error).message === "no such node");
    assert.deepEqual(heard, ["ADDED a -", "SYNCED - e-1"]);
  }
  assert.equal(daemon.asked.length, 3);
  assert.equal(daemon.asked[0]?.headers["content-type"], "application/connect+proto");
  assert.equal(daemon.asked[2]?.headers["authorization"], "Bearer t");
});

test("a stream is read whatever pieces it comes in", async () => {
  const long = event(ADDED, "e-1", "x".repeat(63));
  const whole = Buffer.concat([
    envelope(0, long),
    envelope(0, event(BOOKMARK, "e-2")),
    envelope(2, Buffer.from("{}")),
  ]);
  await using daemon = await fakeDaemon((_asked, response) => {
    response.writeHead(200, { "content-type": "application/connect+proto" });
    let at = 0;
    const more = (): void => {
      if (at >= whole.byteLength) response.end();
      else {
        response.write(whole.subarray(at, at + 3), () => setImmediate(more));
        at += 3;
      }
    };
    more();
  });
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const heard = [];
  for await (const one of client.nodes.watchNodes({})) heard.push(said(one));
  assert.deepEqual(heard, [`ADDED ${"x".repeat(63)} e-1`, "BOOKMARK - e-2"]);
});

test("a stream that breaks off, is too large or is no stream is an error that says so", async () => {
  const answers: [Answer, RegExp][] = [
    [
      (_asked, response) =>
        void response.writeHead(200, { "content-type": "application/connect+proto" }).end(),
      /broke off/,
    ],
    [answerStream([new Uint8Array(2_000)], null), /larger than 1000 bytes/],
    [
      (_asked, response) => void response.writeHead(200, { "content-type": "text/html" }).end("hi"),
      /is it a Portway daemon/,
    ],
    [answerError(403, { code: "permission_denied", message: "not you" }), /not you/],
  ];
  for (const [answer, why] of answers) {
    await using daemon = await fakeDaemon(answer);
    for (const nodes of [
      createChannel({ socketPath: daemon.socketPath }, { maxResponseBytes: 1000 }).client(NodeService),
      browser.createChannel({ baseUrl: daemon.baseUrl }, { maxResponseBytes: 1000 }).client(NodeService),
    ]) {
      await assert.rejects(until("never", nodes.watchNodes({})), why);
    }
  }
});

test("leaving the loop, the caller's signal and the end of the client end the stream at the daemon", async () => {
  for (const how of ["leave", "signal", "close"] as const) {
    let closed: Promise<unknown> | undefined;
    await using daemon = await fakeDaemon((asked, response) => {
      closed = new Promise((resolve) => response.once("close", resolve));
      answerStream([event(ADDED, "e-1", "a")])(asked, response);
    });
    const client = createPortwayClient({ socketPath: daemon.socketPath });
    const cancel = new AbortController();
    const read = async (): Promise<void> => {
      for await (const _one of client.nodes.watchNodes({}, { signal: cancel.signal })) {
        if (how === "leave") break;
        if (how === "signal") cancel.abort();
        else client[Symbol.dispose]();
      }
    };
    if (how === "leave") await read();
    else await assert.rejects(read(), (error) => failureOf(error).code === "canceled", how);
    await closed;
    client[Symbol.dispose]();
  }
});

test("the clients that load their services know which methods stream", () => {
  const known = {
    nodes: ["watchNodes"],
    relays: ["watchRelays"],
    portals: ["watchPortals"],
    messages: ["receiveMessages", "watchMessages"],
    system: [],
  };
  const services = {
    nodes: NodeService,
    relays: RelayService,
    portals: PortalService,
    messages: MessageService,
    system: SystemService,
  };
  using client = createPortwayClient({ socketPath: "/nonexistent" });
  for (const [name, service] of Object.entries(services)) {
    const streams = Object.entries<{ methodKind: string }>(service.method)
      .filter(([, { methodKind }]) => methodKind === "server_streaming")
      .map(([method]) => method);
    assert.deepEqual(streams.sort(), known[name as keyof typeof known], name);
    const methods = client[name as keyof typeof known] as unknown as Record<
      string,
      (input: object) => unknown
    >;
    for (const method of streams) assert.ok(Symbol.asyncIterator in (methods[method]!({}) as object), method);
  }
});

test("a watch that is UNAVAILABLE, or for which we were too slow, goes on behind the last event", async () => {
  const slow = { code: "resource_exhausted", message: "too slow" };
  await using daemon = await fakeDaemon(
    answerStream([event(ADDED, "", "a"), event(SYNCED, "e-1"), event(ADDED, "e-2", "b")], draining),
    (_asked, response) => void response.socket?.destroy(),
    answerStream([event(MODIFIED, "e-3", "a"), event(SYNCED, "e-3")], slow),
    answerStream([event(DELETED, "e-9", "b")]),
  );
  const pace = fakePace(0);
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  assert.deepEqual(await until("e-9", watchNodes(client.nodes, { pace })), [
    "ADDED a -",
    "SYNCED - e-1",
    "ADDED b e-2",
    "MODIFIED a e-3",
    "SYNCED - e-3",
    "DELETED b e-9",
  ]);
  assert.deepEqual(startRevisions(daemon.asked), ["", "e-2", "e-2", "e-3"]);
  assert.deepEqual(pace.waits, [25, 50, 25]);
});

test("a watch whose revision is gone tells all anew, and what has gone meanwhile", async () => {
  await using daemon = await fakeDaemon(
    answerStream([event(ADDED, "", "a"), event(ADDED, "", "b"), event(SYNCED, "e-1")], draining),
    answerStream([], { code: "out_of_range", message: "compacted" }),
    // The second list breaks off in the middle: b may go before the third.
    answerStream([event(ADDED, "", "b")], draining),
    answerStream([event(ADDED, "", "c"), event(SYNCED, "f-7"), event(BOOKMARK, "f-8")]),
  );
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  assert.deepEqual(await until("f-8", watchNodes(client.nodes, { pace: fakePace(0) })), [
    "ADDED a -",
    "ADDED b -",
    "SYNCED - e-1",
    "ADDED b -",
    "ADDED c -",
    "DELETED a -",
    "DELETED b -",
    "SYNCED - f-7",
    "BOOKMARK - f-8",
  ]);
  assert.deepEqual(startRevisions(daemon.asked), ["", "e-1", "", ""]);
});

test("a watch ends with what opening it again will not mend", async () => {
  for (const code of ["permission_denied", "not_found", "invalid_argument", "out_of_range", "internal"]) {
    await using daemon = await fakeDaemon(answerStream([], { code, message: "no" }));
    using client = createPortwayClient({ socketPath: daemon.socketPath });
    const read = until("never", watchNodes(client.nodes, { pace: fakePace(0) }));
    await assert.rejects(read, (error) => failureOf(error).code === code, code);
    assert.equal(daemon.asked.length, 1, code);
  }
});

test("a watch of a daemon that stays away fails after the time that it was given", async () => {
  using client = createPortwayClient({ socketPath: "/nonexistent/api.sock" });
  const pace = fakePace(0);
  const read = until("never", watchNodes(client.nodes, { pace, giveUpAfterMs: 1_000 }));
  await assert.rejects(read, /no daemon answers at \/nonexistent\/api\.sock/);
  assert.ok(pace.nowMs() >= 1_000 && pace.nowMs() < 3_000, `${pace.nowMs()} ms`);
});

test("a stream that has fallen silent is opened again", async () => {
  await using daemon = await fakeDaemon(
    answerStream([event(SYNCED, "e-1")]),
    answerStream([event(BOOKMARK, "e-2")]),
  );
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const heard = await until("e-2", watchNodes(client.nodes, { pace: fakePace(0), silenceMs: 30 }));
  assert.deepEqual(heard, ["SYNCED - e-1", "BOOKMARK - e-2"]);
  assert.deepEqual(startRevisions(daemon.asked), ["", "e-1"]);
});

test("the caller's signal ends a watch, also while it waits for the daemon", async () => {
  using client = createPortwayClient({ socketPath: "/nonexistent/api.sock" });
  const cancel = new AbortController();
  const read = until("never", watchNodes(client.nodes, { signal: cancel.signal }));
  read.catch(() => {});
  await new Promise(setImmediate);
  cancel.abort(new Error("enough"));
  await assert.rejects(read);
});
