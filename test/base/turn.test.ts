import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { afterRead, handleRead, lastPiece } from "../../src/base/turn.js";

const putOff = (catchUp: () => void): void => afterRead({ catchUp });

function readThat(read: (length: number) => void, length = 10): void {
  handleRead({ read }, length);
}

/** What happened, in order. */
function createTrace() {
  const seen: string[] = [];
  const run = (name: string) => (): void => void seen.push(name);
  /** A read in which `name` is put off. */
  const read = (name: string): void => {
    readThat((bytes) => {
      assert.equal(bytes, 77);
      seen.push(`read ${name}`);
      putOff(run(name));
    }, 77);
  };
  return { seen, run, read };
}

const endOfTurn = (): Promise<void> => new Promise(setImmediate);

test("what the last piece of a read puts off first runs at once, and the rest behind the read", () => {
  const { seen, run } = createTrace();
  const rest = (): void => {
    seen.push("b");
    putOff(run("d"));
  };
  readThat(() => {
    putOff(run("a"));
    lastPiece();
    putOff(rest);
    putOff(run("e"));
    seen.push("c");
  });
  assert.deepEqual(seen, ["b", "c", "a", "d", "e"]);
});

test("a chain of those that put off each other at the last piece does not grow the stack", () => {
  let left = 100_000;
  const next = (): void => {
    left -= 1;
    if (left > 0) putOff(next);
  };
  readThat(() => {
    lastPiece();
    putOff(next);
  });
  assert.equal(left, 0);
});

test("a last piece is none when its read is over, and outside of one", async () => {
  const { seen, run } = createTrace();
  const putAtLast = (): void => {
    lastPiece();
    putOff(run("a"));
    seen.push("put");
  };
  readThat(lastPiece);
  readThat(() => {
    putOff(run("a"));
    seen.push("put");
  });
  assert.deepEqual(seen.splice(0), ["put", "a"]);
  putAtLast();
  assert.deepEqual(seen.splice(0), ["put"]);
  await null;
  assert.deepEqual(seen, ["a"]);
});

test("what is put off in a read runs before the next one", () => {
  const { seen, read } = createTrace();
  read("a");
  read("b");
  assert.deepEqual(seen, ["read a", "a", "read b", "b"]);
});

test("what is put off outside of a read runs at the end of the call, once, in order", async () => {
  const { seen, run, read } = createTrace();
  putOff(run("a"));
  putOff(run("b"));
  assert.deepEqual(seen, []);
  await null;
  assert.deepEqual(seen, ["a", "b"]);
  putOff(run("c"));
  read("d");
  assert.deepEqual(seen.splice(0), ["a", "b", "read d", "c", "d"], "a read takes along what waits");
  await endOfTurn();
  assert.deepEqual(seen, []);
});

test("what is put off while others run runs behind them", async () => {
  const { seen, run, read } = createTrace();
  const adding = (name: string, then: () => void) => (): void => {
    seen.push(name);
    putOff(then);
  };
  putOff(adding("a", adding("b", run("c"))));
  putOff(run("d"));
  read("e");
  assert.deepEqual(seen.splice(0), ["read e", "a", "d", "e", "b", "c"]);
  await endOfTurn();
  assert.deepEqual(seen, []);
});

test("what a read put off runs if the read then throws", () => {
  const { seen, run } = createTrace();
  const fails = (): void => {
    putOff(run("a"));
    throw new Error("no");
  };
  assert.throws(() => readThat(fails), { message: "no" });
  assert.deepEqual(seen, ["a"]);
});

test("one that throws is told, is not called again, and those behind it have their turn", async () => {
  const { seen, run, read } = createTrace();
  const fails = (name: string) => (): void => {
    seen.push(name);
    throw new Error(name);
  };
  assert.throws(
    () =>
      readThat(() => {
        for (const each of [run("a"), fails("b"), run("c")]) putOff(each);
      }),
    { message: "b" },
  );
  assert.deepEqual(seen.splice(0), ["a", "b"]);
  await null;
  assert.deepEqual(seen.splice(0), ["c"]);
  assert.throws(() => readThat(() => putOff(fails("d"))), { message: "d" });
  read("e");
  assert.deepEqual(seen, ["d", "read e", "e"]);
});

test("whatever is put off when, all of it has run once at the end of the turn, in order", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("after" as const) }),
    fc.record({ do: fc.constant("microtask" as const) }),
    fc.record({ do: fc.constant("turn" as const) }),
    fc.record({
      do: fc.constant("read" as const),
      puts: fc.nat(3),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const ran: number[] = [];
      let put = 0;
      const putNext = (): void => {
        const number = put++;
        putOff(() => ran.push(number));
      };
      for (const each of steps) {
        if (each.do === "after") putNext();
        else if (each.do === "microtask") await null;
        else if (each.do === "turn") {
          await endOfTurn();
          assert.equal(ran.length, put);
        } else {
          readThat(() => {
            for (let left = each.puts; left > 0; left -= 1) putNext();
          });
          assert.equal(ran.length, put);
        }
      }
      await endOfTurn();
      assert.deepEqual(
        ran,
        Array.from({ length: put }, (_, number) => number),
      );
    }),
    { numRuns: 200 },
  );
});
