import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { type CallOptions, Code } from "@connectrpc/connect";
import { NodeService } from "../../../gen/portway/v1/node_service_pb.js";
import { PortalService } from "../../../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../../../gen/portway/v1/relay_service_pb.js";
import {
  apiFixture,
  clientFor,
  type Protocol,
  protocols,
  toldError,
  transportFor,
} from "../../support/api-fixture.js";
import type { FakeCollection, FakeEngine } from "../../support/fake-engine.js";

interface ListAnswer extends Message {
  readonly nextPageToken: string;
  readonly revision: string;
}
type Lists = (request: object, options?: CallOptions) => Promise<ListAnswer>;

/** Every List of the API, and the collection behind it; the nodes are in none. */
function listsOf(): [service: DescService, method: DescMethod, collection: keyof FakeEngine][] {
  return [NodeService, RelayService, PortalService].flatMap((service) =>
    service.methods
      .filter(({ name }) => name.startsWith("List"))
      .map((method): [DescService, DescMethod, keyof FakeEngine] => {
        const collection = method.localName.slice("list".length);
        return [service, method, (collection[0]!.toLowerCase() + collection.slice(1)) as keyof FakeEngine];
      }),
  );
}

async function filled(
  t: TestContext,
): Promise<(protocol: Protocol) => (service: DescService, method: string) => Lists> {
  const { server, token, engine } = await apiFixture(t);
  for (const id of ["n1", "n2", "n3", "m4"])
    await engine.nodes.create(id, { tcpListenerAddress: "127.0.0.1:0" });
  for (const [, , collection] of listsOf()) {
    if (collection === "nodes") continue;
    const kept = engine[collection] as unknown as FakeCollection<unknown, object>;
    const spec = {
      kind: "hop",
      bindAddress: "127.0.0.1:1",
      peerAddress: "h:1",
      to: "/service/a",
      at: "h:1",
      target: "h:1",
    };
    for (const id of ["n1", "n2", "n3", "m4"]) await kept.create("n1", id, spec);
  }
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  return (protocol) => (service, method) => {
    const client = clientFor(service, transportFor(protocol, url, { token })) as Readonly<
      Record<string, unknown>
    >;
    return client[method] as Lists;
  };
}

function idsOf(answer: ListAnswer): string[] {
  const items = Object.values(answer).find(Array.isArray) as readonly { readonly name: string }[];
  return items.map(({ name }) => name.slice(name.lastIndexOf("/") + 1));
}

test("the API has eleven Lists", () => {
  assert.equal(listsOf().length, 11);
});

for (const protocol of protocols) {
  test(`${protocol}: every List takes a filter and an order, page by page, and says what is wrong with them`, async (t) => {
    const clients = (await filled(t))(protocol);
    for (const [service, { name, localName }, collection] of listsOf()) {
      const list = clients(service, localName);
      const parent = collection === "nodes" ? {} : { parent: "nodes/n1" };
      const asked = { ...parent, pageSize: 2, filter: 'name = "*/n*" AND NOT name:m4', orderBy: "name desc" };
      const first = await list(asked);
      assert.deepEqual(idsOf(first), ["n3", "n2"], name);
      const last = await list({ ...asked, pageToken: first.nextPageToken });
      assert.deepEqual([idsOf(last), last.nextPageToken], [["n1"], ""], name);
      assert.deepEqual(idsOf(await list({ ...parent, filter: "name = other" })), [], name);

      for (const other of [{ filter: "name:n" }, { orderBy: "name" }, { filter: "", orderBy: "" }]) {
        const told = await toldError(list({ ...asked, ...other, pageToken: first.nextPageToken }));
        assert.deepEqual(
          [told.code, told.reasons, told.fields],
          [Code.InvalidArgument, ["BAD_PAGE_TOKEN"], ["page_token"]],
        );
      }
      for (const [wrong, field] of [
        [{ filter: "nam = a" }, "filter"],
        [{ filter: "a".repeat(1025) }, "filter"],
        [{ orderBy: "name asc" }, "order_by"],
        [{ orderBy: "name,".repeat(52) }, "order_by"],
      ] as const) {
        const told = await toldError(list({ ...parent, ...wrong }));
        assert.deepEqual(
          [told.code, told.reasons, told.fields],
          [Code.InvalidArgument, ["BAD_ARGUMENT"], [field]],
          name,
        );
      }
    }
  });
}

test("items that are equal stand in the usual order of the List", async (t) => {
  const list = (await filled(t))("grpc")(NodeService, "listNodes");
  assert.deepEqual(idsOf(await list({ orderBy: "status.state desc" })), ["n1", "n2", "n3", "m4"]);
  assert.deepEqual(idsOf(await list({ orderBy: "status.is_default,name" })), ["m4", "n2", "n3", "n1"]);
});
