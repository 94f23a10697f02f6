import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { NodeService } from "../../../gen/portway/v1/node_service_pb.js";
import { createPager } from "../../../src/api/lists/paging.js";
import { apiFixture, clientFor, protocols, toldError, transportFor } from "../../support/api-fixture.js";

const keyOf = (text: string): string => text;

test("the pages together are the list in order, whatever their size", () => {
  const pager = createPager();
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 9 }),
      (items, pageSize) => {
        const seen: string[] = [];
        for (let pageToken = ""; ; ) {
          const page = pager.page("l", items, keyOf, { pageSize, pageToken });
          assert.ok(page.items.length <= pageSize);
          seen.push(...page.items);
          if (page.nextPageToken === "") break;
          assert.ok(page.items.length === pageSize);
          pageToken = page.nextPageToken;
        }
        assert.deepEqual(
          seen,
          [...items].sort((a, b) => (a < b ? -1 : 1)),
        );
      },
    ),
  );
});

test("what stays in the list is shown once, whatever comes and goes between two pages", () => {
  const pager = createPager();
  const name = fc.string({ minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(
      fc.uniqueArray(name),
      fc.array(fc.record({ add: fc.array(name), remove: fc.array(name) })),
      (start, changes) => {
        const list = new Set(start);
        const stayed = new Set(start);
        const seen: string[] = [];
        for (let pageToken = "", round = 0; ; round += 1) {
          const page = pager.page("l", [...list], keyOf, { pageSize: 2, pageToken });
          seen.push(...page.items);
          if (page.nextPageToken === "") break;
          pageToken = page.nextPageToken;
          for (const gone of changes[round]?.remove ?? []) {
            list.delete(gone);
            stayed.delete(gone);
          }
          for (const added of changes[round]?.add ?? []) list.add(added);
        }
        assert.equal(new Set(seen).size, seen.length);
        for (const item of stayed) assert.ok(seen.includes(item), item);
      },
    ),
  );
});

test("a page token that was altered in any place, or is of another list or process, is refused", () => {
  const pager = createPager();
  const items = ["a", "b", "c"];
  const { nextPageToken } = pager.page("l", items, keyOf, { pageSize: 1, pageToken: "" });
  const read = (list: string, pageToken: string, reader = pager) =>
    reader.page(list, items, keyOf, { pageSize: 1, pageToken });
  assert.deepEqual(read("l", nextPageToken).items, ["b"]);
  for (let at = 0; at < nextPageToken.length; at += 1) {
    const other = nextPageToken[at] === "A" ? "B" : "A";
    const altered = nextPageToken.slice(0, at) + other + nextPageToken.slice(at + 1);
    assert.throws(() => read("l", altered), { code: "bad_page_token" }, `at ${at}`);
  }
  for (const altered of [
    `${nextPageToken}A`,
    nextPageToken.slice(1),
    nextPageToken.slice(0, -1),
    `${nextPageToken}=`,
    "a",
    "💥",
  ]) {
    assert.throws(() => read("l", altered), { code: "bad_page_token" }, altered);
  }
  assert.throws(() => read("m", nextPageToken), { code: "bad_page_token" });
  assert.throws(() => read("l", nextPageToken, createPager()), { code: "bad_page_token" });
});

test("a token for the longest key is one that the API takes back", () => {
  const pager = createPager();
  for (const letter of ["x", "é", "💥"]) {
    const items = ["a", "b", "c"].map((end) => `${letter.repeat(255)}${end}`);
    const page = pager.page("l", items, keyOf, { pageSize: 1, pageToken: "" });
    assert.ok(page.nextPageToken.length <= 512);
    const next = pager.page("l", items, keyOf, { pageSize: 1, pageToken: page.nextPageToken });
    assert.deepEqual(next.items, [items[1]]);
  }
});

test("a list of the API comes in pages, with the revision of the state", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const nodes = clientFor(NodeService, transportFor("grpc", url, { token }));
  for (let n = 0; n < 120; n += 1) await nodes.createNode({ nodeId: `n${119 - n}` });
  for (const protocol of protocols) {
    const client = clientFor(NodeService, transportFor(protocol, url, { token }));
    const names: string[] = [];
    const sizes: number[] = [];
    for (let pageToken = ""; ; ) {
      const page = await client.listNodes({ pageToken });
      assert.equal(page.revision, engine.changes.revision);
      names.push(...page.nodes.map(({ name }) => name));
      sizes.push(page.nodes.length);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    assert.deepEqual(sizes, [50, 50, 20], protocol);
    assert.deepEqual(
      names,
      Array.from({ length: 120 }, (_, n) => `nodes/n${119 - n}`),
      "in the order of creation",
    );
  }
  const { nextPageToken } = await nodes.listNodes({ pageSize: 1 });
  const told = await toldError(nodes.listServices({ parent: "nodes/n1", pageToken: nextPageToken }));
  assert.deepEqual(
    [told.code, told.reasons, told.fields],
    [Code.InvalidArgument, ["BAD_PAGE_TOKEN"], ["page_token"]],
  );
});
