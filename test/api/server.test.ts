import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescMethodStreaming, DescMethodUnary, DescService } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, type Transport } from "@connectrpc/connect";
import { MessageService } from "../../gen/portway/v1/message_service_pb.js";
import { NodeService } from "../../gen/portway/v1/node_service_pb.js";
import { PortalService } from "../../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../../gen/portway/v1/relay_service_pb.js";
import { SystemService } from "../../gen/portway/v1/system_service_pb.js";
import { apiFixture, clientFor, protocols, toldError, transportFor } from "../support/api-fixture.js";

const services: readonly DescService[] = [
  NodeService,
  RelayService,
  PortalService,
  MessageService,
  SystemService,
];

async function allOf(transport: Transport, method: DescMethodStreaming): Promise<void> {
  async function* requests() {
    yield create(method.input);
  }
  const { message } = await transport.stream(method, undefined, undefined, undefined, requests(), undefined);
  for await (const _ of message);
}

test("every method refuses a call without the token in every protocol, before anything else is said", async (t) => {
  const { server, engine } = await apiFixture(t);
  engine.onCall = () => assert.fail("the engine was asked");
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  let cells = 0;
  for (const protocol of protocols) {
    const none = transportFor(protocol, url);
    const wrong = transportFor(protocol, url, { token: "0".repeat(64) });
    for (const method of services.flatMap((service) => service.methods)) {
      for (const transport of [none, wrong]) {
        const error = await toldError(
          method.methodKind === "unary"
            ? transport.unary(
                method as DescMethodUnary,
                undefined,
                undefined,
                undefined,
                create(method.input),
                undefined,
              )
            : allOf(transport, method as DescMethodStreaming),
        );
        assert.deepEqual(
          [error.code, error.reasons],
          [Code.Unauthenticated, ["UNAUTHENTICATED"]],
          `${method.name} ${protocol}`,
        );
        cells += 1;
      }
    }
  }
  const methods = services.reduce((sum, { methods }) => sum + methods.length, 0);
  assert.ok(methods > 30);
  assert.equal(cells, methods * protocols.length * 2);
});

test("every read can be called by GET, and every method by every protocol with the token", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of protocols) {
    const transport = transportFor(protocol, url, { token });
    const created = await clientFor(NodeService, transport).createNode({
      nodeId: protocol.replace(" ", "_"),
    });
    assert.equal(created.node?.name, `nodes/${protocol.replace(" ", "_")}`, protocol);
    const listed = await clientFor(NodeService, transport).listNodes({});
    assert.ok(listed.nodes.length > 0);
    const info = await clientFor(SystemService, transport).getServerInfo({});
    assert.equal(info.version, "1.2.3");
  }
  const reads = services.flatMap(({ methods }) => methods).filter(({ name }) => /^(Get|List)/.test(name));
  assert.ok(reads.length > 15);
  for (const { name, idempotency } of reads) {
    assert.equal(idempotency, MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS, name);
  }
});
