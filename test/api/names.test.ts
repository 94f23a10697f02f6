import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatName, formatNodeName, parseName, parseNodeName } from "../../src/api/names.js";

test("a name is read back as what it was made of", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/), fc.string({ minLength: 1 }), (node, id) => {
      const name = formatName("workers", node, id);
      assert.equal(name.split("/").length, 4);
      assert.deepEqual(parseName("workers", name), { node, id });
      assert.equal(parseNodeName(formatNodeName(node)), node);
    }),
  );
});

test("what is no name of the collection is refused with the form that was expected", () => {
  for (const name of [
    "",
    "nodes/n1",
    "nodes/n1/relays/a",
    "nodes/n1/inlets/",
    "nodes//inlets/a",
    "n/n1/inlets/a",
    "nodes/n1/inlets/a/b",
  ]) {
    assert.throws(
      () => parseName("inlets", name),
      { code: "bad_name", message: /nodes\/\{node\}\/inlets\/\{id\}/ },
      name,
    );
  }
  for (const name of ["", "n1", "nodes/", "nodes/a b", "nodes/a/b", `nodes/${"a".repeat(64)}`]) {
    assert.throws(() => parseNodeName(name), { code: "bad_name" }, name);
  }
});
