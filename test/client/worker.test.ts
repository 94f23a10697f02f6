import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ReceiveMessagesRequestSchema,
  ReceiveMessagesResponseSchema,
  SteerWorkerRequestSchema,
  SteerWorkerResponseSchema,
} from "../../gen/portway/v1/message_service_pb.js";
import { deferred } from "../../src/base/signals.js";
import { failureOf } from "../../src/client/errors.js";
import { createPortwayClient } from "../../src/client/node-client.js";
import type { Pace } from "../../src/client/options.js";
import { openWorker } from "../../src/client/worker.js";
import {
  type Answer,
  type Asked,
  answerError,
  answerProto,
  answerStream,
  fakeDaemon,
} from "./fake-daemon.js";
import { fakePace } from "./fake-pace.js";

const opened = toBinary(
  ReceiveMessagesResponseSchema,
  create(ReceiveMessagesResponseSchema, {
    response: { case: "opened", value: { name: "nodes/n1/workers/w", address: "w", token: "secret" } },
  }),
);
const message = (id: number, payloadBytes = 0): Uint8Array =>
  toBinary(
    ReceiveMessagesResponseSchema,
    create(ReceiveMessagesResponseSchema, {
      response: { case: "message", value: { id: BigInt(id), payload: new Uint8Array(payloadBytes) } },
    }),
  );
const draining = { code: "unavailable", message: "draining" };
const done = answerProto(toBinary(SteerWorkerResponseSchema, create(SteerWorkerResponseSchema)));

/** Streams in turn for ReceiveMessages, `done` for all that is steered. */
function daemonWith(...streams: readonly Answer[]): Answer {
  let count = 0;
  return (asked, response) => {
    if (asked.path.endsWith("/SteerWorker")) done(asked, response);
    else streams[Math.min(count++, streams.length - 1)]?.(asked, response);
  };
}

function opens(asked: readonly Asked[]): string[] {
  return asked
    .filter(({ path }) => path.endsWith("/ReceiveMessages"))
    .map(({ body }) => fromBinary(ReceiveMessagesRequestSchema, body.subarray(5)).open)
    .map((open) => `${open?.address} ${open?.resumeToken} ${open?.acknowledgedId}`);
}

function steered(asked: readonly Asked[]): string[] {
  return asked
    .filter(({ path }) => path.endsWith("/SteerWorker"))
    .map(({ body }) => fromBinary(SteerWorkerRequestSchema, body))
    .map(({ token, request }) =>
      `${token} ${request.case} ${request.case === "acknowledge" ? request.value.throughId : ""}`.trim(),
    );
}

test("a worker whose stream is lost takes itself over, and reads each message once", async () => {
  await using daemon = await fakeDaemon(
    daemonWith(
      answerStream([opened, message(1), message(2)], draining),
      (_asked, response) => void response.socket?.destroy(),
      answerStream([opened, message(2), message(3), message(4)]),
    ),
  );
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const pace = fakePace(0);
  const caughtUp: Pace = {
    ...pace,
    async wait(delayMs, signal) {
      while (steered(daemon.asked).length === 0) await turn();
      await pace.wait(delayMs, signal);
    },
  };
  const options = { node: "nodes/n1", address: "w", queueMessages: 8, pace: caughtUp };
  const heard: bigint[] = [];
  {
    await using worker = await openWorker(client.messages, options);
    assert.deepEqual([worker.name, worker.address], ["nodes/n1/workers/w", "w"]);
    for await (const one of worker) {
      heard.push(one.id);
      if (one.id === 4n) {
        await worker.reply(one, Uint8Array.of(1));
        break;
      }
    }
  }
  assert.deepEqual(heard, [1n, 2n, 3n, 4n]);
  assert.deepEqual(opens(daemon.asked), ["w  0", "w secret 2", "w secret 2"]);
  assert.deepEqual(steered(daemon.asked), ["secret acknowledge 2", "secret reply", "secret close"]);
  assert.deepEqual(pace.waits, [25, 50]);
});

test("a worker that can't be reached for its resume window fails, and so does one that is refused", async () => {
  const pace = fakePace(0);
  const { signal } = new AbortController();
  for (const [end, code] of [
    [draining, "unavailable"],
    [{ code: "aborted", message: "resumed by another" }, "aborted"],
  ] as const) {
    await using daemon = await fakeDaemon(
      daemonWith(answerStream([opened], end), answerError(503, draining)),
    );
    using client = createPortwayClient({ socketPath: daemon.socketPath });
    const options = { node: "nodes/n1", pace, resumeWindowMs: 1_000, signal };
    const worker = await openWorker(client.messages, options);
    const read = async (): Promise<void> => {
      for await (const _one of worker);
    };
    await assert.rejects(read(), (error) => failureOf(error).code === code);
  }
  await using daemon = await fakeDaemon(answerError(409, { code: "already_exists", message: "taken" }));
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  await assert.rejects(openWorker(client.messages, { node: "nodes/n1", signal }), /taken/);
  assert.deepEqual(getEventListeners(signal, "abort"), []);
});

test("few large messages are acknowledged before they fill the queue, and the last ones when nothing comes", async () => {
  const half = 512 * 1024;
  const stream = [opened, message(1, half), message(2, half), message(3, half)];
  const answer = daemonWith(answerStream(stream));
  const rested = deferred<void>();
  await using daemon = await fakeDaemon((asked, response) => {
    answer(asked, response);
    if (steered(daemon.asked).length === 2) rested.resolve();
  });
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const worker = await openWorker(client.messages, { node: "nodes/n1" });
  const read = (async () => {
    for await (const _one of worker);
  })();
  await rested.promise;
  assert.deepEqual(steered(daemon.asked), ["secret acknowledge 2", "secret acknowledge 3"]);
  await worker.close();
  await read;
});

test("a stream that is lost while the reader is busy is opened again meanwhile", async () => {
  const openedAgain = deferred<void>();
  const back = answerStream([opened, message(1), message(2)]);
  await using daemon = await fakeDaemon(
    daemonWith(answerStream([opened, message(1)], draining), (asked, response) => {
      back(asked, response);
      openedAgain.resolve();
    }),
  );
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  await using worker = await openWorker(client.messages, { node: "nodes/n1", pace: fakePace(0) });
  const heard: bigint[] = [];
  for await (const one of worker) {
    heard.push(one.id);
    await openedAgain.promise;
    if (one.id === 2n) break;
  }
  assert.deepEqual(heard, [1n, 2n]);
});

test("closing a worker ends the loop that reads it", async () => {
  await using daemon = await fakeDaemon(daemonWith(answerStream([opened])));
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const worker = await openWorker(client.messages, { node: "nodes/n1" });
  const read = (async () => {
    for await (const _one of worker);
  })();
  await worker.close();
  await worker.close();
  await read;
  assert.deepEqual(steered(daemon.asked), ["secret close"]);
});

test("the end of a worker's signal ends the loop that reads it, and frees its address", async () => {
  const freed = deferred<void>();
  const answer = daemonWith(answerStream([opened]));
  await using daemon = await fakeDaemon((asked, response) => {
    if (asked.path.endsWith("/SteerWorker")) freed.resolve();
    answer(asked, response);
  });
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const ending = new AbortController();
  const worker = await openWorker(client.messages, { node: "nodes/n1", signal: ending.signal });
  const read = (async () => {
    for await (const _one of worker);
  })();
  ending.abort();
  await assert.rejects(read, (error) => failureOf(error).code === "canceled");
  await freed.promise;
  assert.deepEqual(steered(daemon.asked), ["secret close"]);
});

test("a worker whose signal ends while it is opened is freed", async () => {
  const ending = new AbortController();
  const late = answerStream([opened]);
  await using daemon = await fakeDaemon(
    daemonWith((asked, response) => {
      ending.abort();
      setImmediate(() => late(asked, response));
    }),
  );
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const { signal } = ending;
  const opening = openWorker(client.messages, { node: "nodes/n1", signal });
  await assert.rejects(opening, (error) => failureOf(error).code === "canceled");
  assert.deepEqual(steered(daemon.asked), ["secret close"]);
  const none = openWorker(client.messages, { node: "nodes/n1", signal });
  await assert.rejects(none, (error) => failureOf(error).code === "canceled");
  assert.equal(daemon.asked.length, 2);
});
