import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { MessageService, PayloadEncoding } from "../../../gen/portway/v1/message_service_pb.js";
import type { SendMessage } from "../../../src/node/engine.js";
import { apiFixture, clientFor, toldError, transportFor } from "../../support/api-fixture.js";

test("a payload travels as it is or as a BARE byte string, and so does the reply", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(MessageService, transportFor("grpc", url, { token }));
  const sent: SendMessage[] = [];
  engine.onSend = async (request) => {
    sent.push(request);
    return { payload: Buffer.from("0548454c4c4fff", "hex"), returnRoute: "0#a => 0#b", roundTripMs: 2.25 };
  };
  const payload = Buffer.from("hello");
  const bare = await client.sendMessage({
    node: "nodes/n1",
    to: "/service/uppercase",
    payload,
    encoding: PayloadEncoding.BARE,
  });
  assert.equal(Buffer.from(bare.payload).toString(), "HELLO");
  assert.equal(bare.returnRoute, "0#a => 0#b");
  assert.deepEqual([bare.roundTripTime?.seconds, bare.roundTripTime?.nanos], [0n, 2_250_000]);
  const raw = await client.sendMessage({ to: "/service/echo", payload, timeout: { seconds: 3n } });
  assert.equal(Buffer.from(raw.payload).toString("hex"), "0548454c4c4fff");
  assert.deepEqual(
    sent.map(({ node, to, payload: bytes, timeoutMs }) => [
      node,
      to,
      Buffer.from(bytes).toString("hex"),
      timeoutMs,
    ]),
    [
      ["n1", "/service/uppercase", "0568656c6c6f", 10_000],
      ["", "/service/echo", "68656c6c6f", 3000],
    ],
  );
});

test("a reply that is no BARE byte string is FAILED_PRECONDITION", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(MessageService, transportFor("grpc", url, { token }));
  engine.onSend = async () => ({ payload: Buffer.from("ff"), returnRoute: "", roundTripMs: 1 });
  const told = await toldError(client.sendMessage({ to: "/service/echo", encoding: PayloadEncoding.BARE }));
  assert.deepEqual([told.code, told.reasons], [Code.FailedPrecondition, ["BAD_REPLY"]]);
});
