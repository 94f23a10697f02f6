import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../src/base/scope.js";
import { deferred } from "../../src/base/signals.js";

test("a scope undoes what was set up, newest first, one at a time", async () => {
  const scope = new Scope();
  const log: string[] = [];
  const first = deferred<void>();
  scope.defer(() => log.push("oldest"));
  scope.own({
    async [Symbol.asyncDispose]() {
      log.push("asynchronous begins");
      await first.promise;
      log.push("asynchronous ends");
    },
  });
  scope.own({ [Symbol.dispose]: () => log.push("synchronous") });
  const closed = scope[Symbol.asyncDispose]();
  await Promise.resolve();
  assert.deepEqual(log, ["synchronous", "asynchronous begins"]);
  first.resolve();
  await closed;
  assert.deepEqual(log, ["synchronous", "asynchronous begins", "asynchronous ends", "oldest"]);
});

test("own gives back what it was given, and prefers an asynchronous end", async () => {
  const scope = new Scope();
  const log: string[] = [];
  const resource = {
    [Symbol.dispose]: () => log.push("synchronous"),
    async [Symbol.asyncDispose]() {
      log.push("asynchronous");
    },
  };
  assert.equal(scope.own(resource), resource);
  await scope[Symbol.asyncDispose]();
  assert.deepEqual(log, ["asynchronous"]);
});

test("everybody who disposes a scope waits for the same end, and nothing is undone twice", async () => {
  const scope = new Scope();
  const end = deferred<void>();
  let undone = 0;
  let ended = 0;
  scope.defer(() => {
    undone += 1;
    return end.promise;
  });
  const disposals = [1, 2, 3].map(() => scope[Symbol.asyncDispose]().then(() => (ended += 1)));
  await new Promise(setImmediate);
  assert.equal(ended, 0);
  end.resolve();
  await Promise.all(disposals);
  await scope[Symbol.asyncDispose]();
  assert.equal(ended, 3);
  assert.equal(undone, 1);
});

test("what is undone may dispose the scope itself, and is not undone again", async () => {
  const scope = new Scope();
  const log: string[] = [];
  scope.defer(() => log.push("oldest"));
  scope.defer(() => {
    log.push("newest");
    assert.equal(scope.isClosing, true);
    scope[Symbol.asyncDispose]().catch(() => {});
  });
  await scope[Symbol.asyncDispose]();
  assert.deepEqual(log, ["newest", "oldest"]);
});

test("an error of one does not keep the others from being undone, and is told at the end", async () => {
  const scope = new Scope();
  const log: string[] = [];
  const [thrown, rejected] = [new Error("thrown"), new Error("rejected")];
  scope.defer(() => log.push("oldest"));
  scope.defer(() => Promise.reject(rejected));
  scope.defer(() => {
    throw thrown;
  });
  await assert.rejects(scope[Symbol.asyncDispose](), (error: unknown) => {
    assert.ok(error instanceof AggregateError);
    assert.deepEqual(error.errors, [thrown, rejected]);
    return true;
  });
  assert.deepEqual(log, ["oldest"]);
  await assert.rejects(scope[Symbol.asyncDispose](), AggregateError);
});

test("a scope that is closing takes nothing more", async () => {
  const scope = new Scope();
  const end = deferred<void>();
  assert.equal(scope.isClosing, false);
  scope.defer(() => end.promise);
  const closed = scope[Symbol.asyncDispose]();
  assert.equal(scope.isClosing, true);
  assert.throws(() => scope.defer(() => {}), /closing/);
  assert.throws(() => scope.own({ [Symbol.dispose]() {} }), /closing/);
  end.resolve();
  await closed;
  assert.throws(() => scope.defer(() => {}), /closing/);
});

test("an empty scope ends", async () => {
  await new Scope()[Symbol.asyncDispose]();
});
