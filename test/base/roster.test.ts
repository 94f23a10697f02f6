import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Roster } from "../../src/base/roster.js";

test("after any steps a roster has what was added and did not leave, in the order of coming", () => {
  const anyStep = fc.record({
    do: fc.constantFrom("add", "add", "leave", "leave again", "empty"),
    which: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const roster = new Roster<number>();
      let model: { readonly item: number; readonly place: Disposable }[] = [];
      const left: Disposable[] = [];
      for (const [item, step] of steps.entries()) {
        if (step.do === "add") model.push({ item, place: roster.add(item) });
        else if (step.do === "leave" && model.length > 0) {
          const [gone] = model.splice(step.which % model.length, 1);
          gone!.place[Symbol.dispose]();
          left.push(gone!.place);
        } else if (step.do === "leave again") left[step.which % Math.max(1, left.length)]?.[Symbol.dispose]();
        else if (step.do === "empty") {
          assert.deepEqual(
            roster.empty(),
            model.map(({ item }) => item),
          );
          left.push(...model.map(({ place }) => place));
          model = [];
        }
        assert.equal(roster.size, model.length);
        assert.deepEqual(
          roster.items(),
          model.map(({ item }) => item),
        );
      }
    }),
  );
});

test("an item that leaves while the items are gone through is not lost for those who have the list", () => {
  const roster = new Roster<string>();
  const places = ["a", "b", "c"].map((item) => roster.add(item));
  const seen: string[] = [];
  for (const item of roster.items()) {
    seen.push(item);
    places[1]![Symbol.dispose]();
  }
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.deepEqual(roster.items(), ["a", "c"]);
});
