import assert from "node:assert/strict";
import { test } from "node:test";
import { PortwayError } from "../../src/base/errors.js";
import { Address } from "../../src/model/address.js";
import { encodeBareBytes } from "../../src/model/bare.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { createRelayClient, type RelayClient } from "../../src/relay/relay-client.js";
import { createRelayService, type RelayService } from "../../src/relay/relay-service.js";
import type { Router } from "../../src/routing/router.js";
import { encodeMessage } from "../../src/wire/encode.js";
import { lengthBytes } from "../../src/wire/limits.js";
import { FakeClock, settled } from "../support/fake-clock.js";
import { createTestLog, createTestNode, readFrame, type TestEnd, TestLink } from "../support/router-pair.js";
import { liveSessions } from "../wire/live-vectors.js";

const bare = (text: string): Buffer => encodeBareBytes(Buffer.from(text));

/** A node that wants to be reachable, with the link that its relay stands on. */
class Seeker {
  readonly router = createTestNode();
  readonly link = new TestLink(this.router);
  readonly log = createTestLog();
  readonly clock: FakeClock;
  readonly client: RelayClient;
  /** The state at each change that was told of. */
  readonly told: string[] = [];

  constructor(clock: FakeClock, name = "blue") {
    this.clock = clock;
    this.client = createRelayClient({
      router: this.router,
      link: this.link,
      name,
      log: this.log,
      clock,
      random: () => 0.5,
      changed: () => void this.told.push(this.state),
    });
  }

  get state(): string {
    return this.client.status().liveness.state;
  }

  /** What holds, what does not, and what has not been tried. */
  get facts(): Record<string, boolean | undefined> {
    const { conditions } = this.client.status().liveness;
    return Object.fromEntries(conditions.map(({ type, holds }) => [type, holds]));
  }

  get lastError(): string {
    return this.client.status().liveness.failure?.lastError ?? "";
  }

  /** Frames that left on the present connection. */
  get sent(): ReturnType<typeof readFrame>[] {
    return this.link.connection.dialer.sent.map(readFrame);
  }

  get workers(): number {
    return [...this.router.workers()].length;
  }
}

class Host {
  readonly router = createTestNode();
  readonly service: RelayService;

  constructor(clock: FakeClock) {
    const log = createTestLog();
    this.service = createRelayService({ router: this.router, clock, log, changed: () => {} });
  }
}

/** A host of another make: a worker that does with registrations and relayed messages what a test says. */
function createForeignHost(register: (message: Message, router: Router) => void): Router {
  const router = createTestNode();
  const handle = (message: Message): undefined => register(message, router) as undefined;
  router.register(Address.local("static_forwarding_service"), { handle }, { kind: "relay_service" });
  return router;
}

/** What arrives for the relay's client when the host sends it. */
function deliver(end: TestEnd, onward: string, back: string, payload: Buffer): void {
  const message = Message.of({ onward: Route.parse(onward), return: Route.parse(back), payload });
  end.arrive(encodeMessage(message).subarray(lengthBytes));
}

/** Answers registrations as an Elixir relay does: without the prefix, and with the whole route in front of messages. */
function createElixirHost(): Router {
  const router = createForeignHost((message) => {
    const full = message.return.keep();
    const own = Address.local("forward_to_blue");
    const forward = (sent: Message) =>
      router.forward(sent.withRoutes(sent.onward.rest().prependRoute(full), sent.return));
    if (router.find(own) === undefined) router.register(own, { handle: forward }, { kind: "relay" });
    router.send(Message.of({ onward: full, return: Route.of(own), payload: bare("blue") }));
  });
  return router;
}

// What the protocol says

test("a registration is the very frame that a live Ockam node sends, but for the random address and the tracing", async () => {
  const [session] = liveSessions.filter(({ name }) => name.startsWith("relay registration"));
  const live = session!.frames.find(({ bodyHex }) => bodyHex !== undefined)!;
  const seeker = new Seeker(new FakeClock(), "n3");
  seeker.link.up(createTestNode());
  await settled();

  const ours = seeker.link.connection.dialer.sent[0]!.toString("hex");
  const address = Buffer.from(seeker.client.status().workerAddress).toString("hex");
  const theirs = Buffer.from(live.decoded!.returnRoute[0]!.value).toString("hex");

  assert.equal(`84${ours.slice(2)}627b7d`, live.bodyHex!.replace(theirs, address));
});

test("the confirmation of a live Ockam host is taken, and the probe goes through its relay to an address of ours", async () => {
  const [session] = liveSessions.filter(({ name }) => name.startsWith("relay registration"));
  const live = session!.frames.find(({ from, bodyHex }) => from === "listener" && bodyHex !== undefined)!;
  const seeker = new Seeker(new FakeClock(), "n3");
  seeker.link.up(createTestNode());
  await settled();
  const { workerAddress } = seeker.client.status();
  const theirs = Buffer.from(live.decoded!.onwardRoute[0]!.value).toString("hex");
  const body = live.bodyHex!.replace(theirs, Buffer.from(workerAddress).toString("hex"));

  seeker.link.connection.dialer.arrive(Buffer.from(body, "hex"));

  assert.equal(seeker.client.status().remoteAddress, "forward_to_n3");
  const probe = seeker.sent.at(-1)!;
  assert.match(probe.onward, /^0#forward_to_n3 => 0#[0-9a-f]{32}$/);
  assert.equal(probe.onward, `0#forward_to_n3 => ${probe.return}`);
  assert.notEqual(probe.return, `0#${workerAddress}`);
});

test("a relay is connecting until its first probe is back, then active, with everything that there is to know", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  assert.deepEqual(
    [seeker.state, seeker.facts, seeker.client.status().route],
    ["connecting", { Connected: false }, ""],
  );

  const { listener } = seeker.link.up(host.router);
  listener.isBlackHole = true;
  await clock.advance(10);
  assert.deepEqual([seeker.state, seeker.facts], ["connecting", { Connected: true }]);
  listener.isBlackHole = false;
  await clock.until(() => seeker.state === "active", 10_000);

  const { workerAddress, liveness, ...status } = seeker.client.status();
  assert.match(workerAddress, /^[0-9a-f]{32}$/);
  assert.deepEqual(status, {
    remoteAddress: "forward_to_blue",
    route: `${seeker.link.route} => 0#forward_to_blue`,
    registrations: 1,
  });
  assert.equal(liveness.roundTripMs, 0);
  assert.equal(liveness.failure, undefined);
  assert.deepEqual(seeker.facts, { Connected: true, Registered: true, Probed: true });
});

test("a message through the relay reaches what the policy lets it reach, and no more", async () => {
  const clock = new FakeClock();
  for (const host of [new Host(clock).router, createElixirHost()]) {
    const seeker = new Seeker(clock);
    const texts: string[] = [];
    const secret: Message[] = [];
    const take = (message: Message): undefined => void texts.push(message.payload.toString("utf8", 1));
    seeker.router.register(
      Address.local("outlet"),
      { handle: (message) => void secret.push(message) as undefined },
      { kind: "outlet" },
    );
    seeker.link.up(host);
    await clock.until(() => seeker.state === "active", 1_000);
    host.register(
      Address.local("app"),
      { handle: take },
      { kind: "reply", hearsFrom: seeker.link.connection.listener },
    );

    for (const goal of ["uppercase", "outlet"]) {
      const onward = Route.parse(`forward_to_blue => ${goal}`);
      host.send(Message.of({ onward, return: Route.parse("app"), payload: bare("up") }));
    }
    await settled();

    assert.deepEqual(texts, ["UP"]);
    assert.deepEqual(secret, []);
    assert.equal(seeker.router.counts.dropped["denied_by_policy"], 1);
  }
});

test("what comes for the client's own address and names that again is dropped", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const { dialer } = seeker.link.up(new Host(clock).router);
  await clock.until(() => seeker.state === "active", 1_000);
  const own = seeker.client.status().workerAddress;

  deliver(dialer, `${own} => ${own} => echo`, "x", bare("round and round"));

  assert.deepEqual(seeker.router.counts.dropped, { unexpected: 1 });
});

test("the client's address hears from nobody but the connection that the registration left on", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const other = new TestLink(seeker.router);
  seeker.link.up(createTestNode());
  const { dialer } = other.up(createTestNode());
  await settled();

  deliver(dialer, seeker.client.status().workerAddress, "forward_to_blue", bare("forward_to_blue"));

  assert.deepEqual(seeker.router.counts.dropped, { not_the_bound_connection: 1 });
  assert.equal(seeker.client.status().remoteAddress, "");
});

test("any text that ends with the name confirms it; other payloads and addresses that are not fit to show do not", async () => {
  const cases: readonly [payload: Buffer, back: string, remote: string][] = [
    [bare("forward_to_blue"), "forward_to_blue", "forward_to_blue"],
    [bare("blue"), "hop => a name of theirs", "a name of theirs"],
    [bare("forward_to_green"), "forward_to_blue", ""],
    [bare("forward_to_blue "), "forward_to_blue", ""],
    [bare("forward_to_blue").subarray(0, 5), "forward_to_blue", ""],
    [Buffer.alloc(0), "forward_to_blue", ""],
    [bare("blue"), "1#192.0.2.1:4000", ""],
    [bare("blue"), "\u001b[2J", ""],
    [bare("blue"), "b\u0000", ""],
  ];
  for (const [payload, back, remote] of cases) {
    const seeker = new Seeker(new FakeClock());
    const { dialer } = seeker.link.up(createTestNode());
    await settled();
    deliver(dialer, seeker.client.status().workerAddress, back, payload);
    assert.equal(seeker.client.status().remoteAddress, remote, `${payload} from ${back}`);
  }
});

test("the client answers its host's question with the same payload and its own address", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const { dialer } = seeker.link.up(createTestNode());
  await settled();
  const { workerAddress } = seeker.client.status();

  deliver(dialer, workerAddress, "question", bare("alive 0123456789abcdef\n"));

  assert.deepEqual(seeker.sent.at(-1), {
    onward: "0#question",
    return: `0#${workerAddress}`,
    payload: bare("alive 0123456789abcdef\n").toString("hex"),
  });
});

test("a name that no host would take is refused before anything is made", () => {
  const router = createTestNode();
  const before = [...router.workers()].length;
  for (const name of ["", "register", "a/b", "a#b", "a\nb", "x".repeat(256)]) {
    const link = new TestLink(router);
    const options = { router, link, name, log: createTestLog(), clock: new FakeClock(), changed: () => {} };
    assert.throws(() => createRelayClient(options), { code: "bad_name" }, name);
  }
  assert.equal([...router.workers()].length, before);
});

// Probes

test("a probe leaves every five seconds and each round trip is shown, without a change to tell of", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  seeker.link.up(new Host(clock).router);
  await clock.until(() => seeker.state === "active", 1_000);
  const { sent } = seeker.link.connection.dialer;
  const firstMs = seeker.client.status().liveness.lastSuccessTimeMs ?? 0;
  const changes = seeker.told.length;
  assert.ok(changes > 0);
  const before = sent.filter((body) => readFrame(body).onward.startsWith("0#forward_to_blue")).length;
  const { timesHeard } = seeker.link;

  await clock.advance(20_000);

  const after = sent.filter((body) => readFrame(body).onward.startsWith("0#forward_to_blue")).length;
  assert.equal(after - before, 4);
  assert.equal(seeker.link.timesHeard - timesHeard, 4);
  assert.equal(seeker.client.status().liveness.lastSuccessTimeMs, firstMs + 20_000);
  assert.equal(seeker.told.length, changes);
});

test("a black hole is noticed within 15 s, whenever it begins", async () => {
  for (let offsetMs = 0; offsetMs <= 6_000; offsetMs += 500) {
    const clock = new FakeClock();
    const seeker = new Seeker(clock);
    seeker.link.up(new Host(clock).router);
    await clock.advance(5_000 + offsetMs);
    assert.equal(seeker.state, "active");

    seeker.link.connection.freeze();
    const tookMs = await clock.until(() => seeker.link.renewals.length > 0, 15_000, 100);

    assert.equal(seeker.state, "degraded");
    assert.match(seeker.lastError, /probe through the relay "blue" did not come back within 3000 ms/);
    assert.ok(tookMs <= 15_000, `${tookMs}`);
    assert.deepEqual(seeker.facts, { Connected: false, Registered: false, Probed: false });
  }
});

test("a black hole that swallows the registration is noticed within 15 s as well", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  seeker.link.up(new Host(clock).router).freeze();

  await clock.until(() => seeker.link.renewals.length > 0, 15_000, 100);

  assert.equal(seeker.state, "connecting");
  assert.match(seeker.lastError, /no answer to the registration of "blue" within 5000 ms/);
});

test("one lost probe is made up for by a second one at once", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const { listener } = seeker.link.up(new Host(clock).router);
  await clock.until(() => seeker.state === "active", 1_000);

  listener.isBlackHole = true;
  await clock.advance(5_000 + 2_999);
  listener.isBlackHole = false;
  await clock.advance(1);

  assert.equal(seeker.state, "active");
  const events = seeker.log.lines.map(({ event }) => event);
  assert.deepEqual(events.slice(-3), ["relay.active", "relay.degraded", "relay.active"]);
  assert.deepEqual(seeker.link.renewals, []);
});

test("a probe that comes back late counts", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  const { listener } = seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);
  listener.isFull = true;
  await clock.advance(5_000 + 3_000 + 1_000);
  assert.equal(seeker.state, "degraded");

  listener.isFull = false;
  await settled();

  assert.equal(seeker.state, "active");
  assert.equal(seeker.client.status().liveness.roundTripMs, 4_000);
  assert.deepEqual(seeker.link.renewals, []);
});

test("a probe that was back already, or is none of ours, counts for nothing", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const { dialer } = seeker.link.up(new Host(clock).router);
  await clock.until(() => seeker.state === "active", 1_000);
  const probe = seeker.sent.at(-1)!;
  const own = probe.return.slice(2);
  const before = seeker.client.status().liveness;

  await clock.advance(1_000);
  deliver(dialer, own, "x", Buffer.from(probe.payload, "hex"));
  deliver(dialer, own, "x", Buffer.alloc(100_000));
  deliver(dialer, `${own} => echo`, "x", Buffer.from(probe.payload, "hex"));

  assert.deepEqual(seeker.router.counts.dropped, { unexpected: 3 });
  assert.deepEqual(seeker.client.status().liveness, before);
});

test("a relay that its host has lost is registered again on the same link, if that delivers other things", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  const { dialer, listener } = seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);

  host.service.remove("blue");
  const onward = Route.of(listener.address, Address.local("nobody"));
  const chat = setTrickle(clock, () =>
    host.router.send(Message.of({ onward, return: Route.empty, payload: bare("other traffic") })),
  );
  await clock.until(() => seeker.client.status().registrations === 2, 15_000, 100);
  chat.end();
  await clock.until(() => seeker.state === "active", 1_000);

  assert.deepEqual(seeker.link.renewals, []);
  assert.equal(seeker.link.connection.dialer, dialer);
});

/** Runs `run` every 500 ms until it is ended. */
function setTrickle(clock: FakeClock, run: () => void): { end(): void } {
  let timer = clock.after(0, function again() {
    run();
    timer = clock.after(500, again);
  });
  return { end: () => timer[Symbol.dispose]() };
}

test("a link that can't be renewed is registered on again", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  seeker.link.renew = (reason) => void seeker.link.renewals.push(reason);
  seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);

  host.service.remove("blue");
  await clock.until(() => seeker.link.renewals.length === 1, 15_000, 100);
  await clock.until(() => seeker.state === "active", 2_000);

  assert.equal(seeker.client.status().registrations, 2);
});

// Back again

test("a close is noticed at once, and the relay is registered again as soon as the link is up", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);

  seeker.link.down(new PortwayError("not_connected", "the connection to x ended"), { retryAtMs: 77 });
  assert.equal(seeker.state, "degraded");
  assert.equal(seeker.lastError, "the connection to x ended");
  assert.equal(seeker.client.status().liveness.failure?.nextRetryTimeMs, 77);
  assert.equal(clock.pending, 0, "the link dials by itself");
  const end = seeker.router.find(Address.local(seeker.client.status().workerAddress));
  assert.equal(end?.hearsFrom, "here");

  seeker.link.up(host.router);
  assert.ok((await clock.until(() => seeker.state === "active", 5_000)) <= 100);
  assert.equal(seeker.client.status().registrations, 2);
});

test("50 restarts in a row, of hosts that notice the end and of hosts that do not: reachable each time within 5 s", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  let host = new Host(clock);
  seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);
  const workers = seeker.workers;

  for (let restart = 1; restart <= 50; restart += 1) {
    const isSameHost = restart % 2 === 0;
    // A host that keeps running may know nothing of the end: it must ask before it gives the name away.
    const { listener } = seeker.link.connection;
    seeker.link.down(new Error("cut"), { silently: isSameHost });
    if (isSameHost) listener.isBlackHole = true;
    else host = new Host(clock);
    await clock.advance(100);
    seeker.link.up(host.router);
    await clock.until(() => seeker.state === "active", 5_000);

    const answers: string[] = [];
    const take = (message: Message): undefined => void answers.push(message.payload.toString("utf8", 1));
    const app = Address.random();
    const reply = host.router.register(
      app,
      { handle: take },
      { kind: "reply", hearsFrom: seeker.link.connection.listener },
    );
    const onward = Route.parse("forward_to_blue => uppercase");
    host.router.send(Message.of({ onward, return: Route.of(app), payload: bare("up") }));
    await settled();
    reply[Symbol.dispose]();
    assert.deepEqual(answers, ["UP"], `after restart ${restart}`);
  }
  assert.equal(seeker.client.status().registrations, 51);
  assert.equal(seeker.workers, workers, "nothing piles up");
  assert.equal(clock.pending, 1, "the next probe alone");
});

test("a host that answers only the third registration is asked again with backoff, on a new link after each two", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  let asked = 0;
  const reluctant = createForeignHost((message, router) => {
    asked += 1;
    if (asked < 3) return;
    const payload = bare("forward_to_blue");
    router.send(Message.of({ onward: message.return, return: Route.parse("forward_to_blue"), payload }));
  });
  seeker.link.whenRenewed = () => void seeker.link.up(reluctant);
  seeker.link.up(reluctant);

  await clock.until(() => seeker.client.status().registrations === 1, 11_000);

  assert.equal(asked, 3);
  assert.equal(seeker.link.renewals.length, 1);
  host.service[Symbol.dispose]();
});

test("a first hop that is not there is an error that says so, and is tried again", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  seeker.link.sayUp();

  assert.match(seeker.lastError, /no worker has the address [0-9a-f]{32}/);
  const { failure } = seeker.client.status().liveness;
  assert.ok((failure?.nextRetryTimeMs ?? 0) > clock.wallMs());

  seeker.link.up(new Host(clock).router);
  await clock.until(() => seeker.state === "active", 3_000);
});

test("a link that has ended for good is a failure that needs a person: nothing holds, nothing is tried again", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  seeker.link.up(new Host(clock).router);
  await clock.until(() => seeker.state === "active", 1_000);

  seeker.link.end(new PortwayError("not_connected", "the connection to x was deleted"));

  assert.equal(seeker.state, "failed");
  assert.equal(seeker.lastError, "the connection to x was deleted");
  assert.equal(seeker.client.status().liveness.failure?.nextRetryTimeMs, undefined);
  assert.deepEqual(seeker.facts, { Connected: false, Registered: false, Probed: false });
  assert.equal(seeker.told.at(-1), "failed");
  assert.equal(clock.pending, 0);
  await seeker.client.waitUntilSettled();
});

// Refusals

test("a name that somebody else holds is a failure that needs a person, shown at once and tried again slowly", async () => {
  const clock = new FakeClock();
  const host = new Host(clock);
  const holder = new Seeker(clock);
  holder.link.up(host.router);
  await clock.until(() => holder.state === "active", 1_000);
  const seeker = new Seeker(clock);

  seeker.link.up(host.router);
  await clock.until(() => seeker.state === "failed", 1_000);

  const { liveness } = seeker.client.status();
  assert.equal(seeker.lastError, 'the relay name "blue" is held by another node');
  assert.equal(liveness.conditions.find(({ type }) => type === "Registered")?.reason, "ADDRESS_TAKEN");
  const waitMs = (liveness.failure?.nextRetryTimeMs ?? 0) - clock.wallMs();
  assert.ok(waitMs > 14_000 && waitMs <= 30_000, `${waitMs}`);
  assert.ok(seeker.log.lines.some(({ event }) => event === "relay.refused"));
  assert.equal(holder.state, "active");

  holder.client[Symbol.dispose]();
  await clock.until(() => seeker.state === "active", 30_000, 100);
});

test("a name that was ours is asked for again soon: the holder may be a connection of ours that died", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);
  const old = seeker.link.connection.listener;
  // The old connection is full, so that the host takes its holder for alive until it ends.
  seeker.link.down(new Error("cut"), { silently: true });
  old.isFull = true;

  seeker.link.up(host.router);
  await clock.advance(5_000);
  assert.equal(seeker.state, "degraded");
  assert.match(seeker.lastError, /held by another node/);

  old.lose();
  assert.ok((await clock.until(() => seeker.state === "active", 5_000)) <= 2_500);
});

test("a host without room is asked again, less and less often, and is no failure for a person", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const host = createForeignHost((message, router) => {
    asked += 1;
    const payload = bare("refused too_many\n");
    router.send(Message.of({ onward: message.return, return: Route.parse("service"), payload }));
  });
  const seeker = new Seeker(clock);
  seeker.link.up(host);

  await clock.advance(120_000);

  assert.equal(seeker.state, "connecting");
  assert.equal(seeker.lastError, "the hosting node gives out no more relay names");
  assert.ok(asked >= 8 && asked <= 14, `${asked}`);
});

test("on a new link it begins again with short waits", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const host = createForeignHost((message, router) => {
    asked += 1;
    const payload = bare("refused too_many\n");
    router.send(Message.of({ onward: message.return, return: Route.parse("service"), payload }));
  });
  const seeker = new Seeker(clock);
  seeker.link.up(host);
  await clock.until(() => asked === 4, 5_000);
  assert.ok((await clock.until(() => asked === 5, 5_000)) > 500);

  seeker.link.down();
  seeker.link.up(host);
  await settled();
  assert.equal(asked, 6);
  assert.ok((await clock.until(() => asked === 7, 5_000)) <= 100);
});

test("a word for a refusal that is newer than this code is shown as it is; a text that is none is not taken", async () => {
  const seeker = new Seeker(new FakeClock());
  const { dialer } = seeker.link.up(createTestNode());
  await settled();
  const { workerAddress } = seeker.client.status();

  for (const text of ["refused", "refused \u001b[2J\n", "refused x", `refused ${"x".repeat(41)}\n`]) {
    deliver(dialer, workerAddress, "service", bare(text));
  }
  assert.equal(seeker.lastError, "not connected yet");
  deliver(dialer, workerAddress, "service", bare("refused too_expensive\n"));

  assert.equal(seeker.lastError, 'the hosting node refused "blue": too_expensive');
  assert.equal(seeker.state, "failed");
});

test("a refusal while the name is ours changes nothing", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const { dialer } = seeker.link.up(new Host(clock).router);
  await clock.until(() => seeker.state === "active", 1_000);

  deliver(dialer, seeker.client.status().workerAddress, "service", bare("refused name_held\n"));

  assert.equal(seeker.state, "active");
});

// Full queues

test("a registration waits for room, and leaves as soon as there is some", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const { dialer } = seeker.link.up(new Host(clock).router, { isFull: true });
  assert.equal(dialer.waiting, 1);
  assert.deepEqual(dialer.sent, []);

  dialer.isFull = false;
  await clock.until(() => seeker.state === "active", 1_000);
});

test("a link whose queue is full is not given up for it: its transport cuts it off when nothing moves", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  const { dialer } = seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);

  dialer.isFull = true;
  await clock.advance(60_000);
  assert.equal(seeker.state, "degraded");
  assert.deepEqual(seeker.link.renewals, []);
  assert.equal(dialer.waiting, 1, "one message at a time");

  dialer.isFull = false;
  await clock.until(() => seeker.state === "active", 7_000);
});

test("an answer to the host and a message passed on are kept back while the queue is full", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const { dialer } = seeker.link.up(createTestNode());
  await settled();
  const { workerAddress } = seeker.client.status();
  dialer.isFull = true;

  deliver(dialer, workerAddress, "question", bare("alive 00\n"));
  deliver(dialer, `${workerAddress} => echo`, "app", bare("to the echo"));
  assert.equal(dialer.held, 2);
  dialer.isFull = false;

  assert.equal(dialer.held, 0);
  assert.deepEqual(
    seeker.sent.slice(-2).map(({ onward }) => onward),
    ["0#question", "0#app"],
  );
});

// Waiting and ending

test("a wait ends when the relay is active, has failed or is disposed, and with its signal", async () => {
  const clock = new FakeClock();
  const host = new Host(clock);
  const seeker = new Seeker(clock);
  const reason = new Error("enough");
  const aborted = new AbortController();
  const first = seeker.client.waitUntilSettled(new AbortController().signal);
  const given = assert.rejects(seeker.client.waitUntilSettled(aborted.signal), reason);
  aborted.abort(reason);
  await given;
  seeker.link.up(host.router);
  await first;
  assert.equal(seeker.state, "active");
  await seeker.client.waitUntilSettled();

  const refused = new Seeker(clock);
  refused.link.up(host.router);
  await refused.client.waitUntilSettled();
  assert.equal(refused.state, "failed");

  const disposed = new Seeker(clock);
  const last = disposed.client.waitUntilSettled();
  disposed.client[Symbol.dispose]();
  await last;
  assert.equal(disposed.state, "stopped");
});

test("disposing gives the name back and leaves no worker, no timer and no watcher, whatever it was doing", async () => {
  const situations: readonly ((seeker: Seeker, host: Host) => Promise<void>)[] = [
    async () => {},
    async ({ link }, host) => {
      link.up(host.router);
    },
    async ({ link }, host) => {
      link.up(host.router);
      await settled();
    },
    async ({ link }, host) => {
      link.up(host.router, { isFull: true });
    },
    async ({ link, clock }, host) => {
      link.up(host.router);
      await clock.advance(6_000);
    },
    async ({ link, clock }, host) => {
      link.up(host.router).freeze();
      await clock.advance(5_001);
    },
    async ({ link, clock }, host) => {
      link.up(host.router);
      await settled();
      link.connection.freeze();
      await clock.advance(9_000);
    },
  ];
  for (const [at, arrange] of situations.entries()) {
    const clock = new FakeClock();
    const host = new Host(clock);
    const seeker = new Seeker(clock);
    await arrange(seeker, host);
    const { dialer } = seeker.link.isUp ? seeker.link.connection : { dialer: undefined };
    const wasHeld = dialer !== undefined && (dialer.isBlackHole || dialer.isFull);

    seeker.client[Symbol.dispose]();
    seeker.client[Symbol.dispose]();
    await settled();

    const own = [...seeker.router.workers()].filter(
      ({ kind }) => kind === "relay_client" || kind === "reply",
    );
    assert.deepEqual(own, [], `situation ${at}`);
    assert.equal(seeker.link.watchers, 0);
    assert.equal(dialer?.waiting ?? 0, 0);
    if (!wasHeld) assert.deepEqual(host.service.registrations(), [], `situation ${at}`);
    seeker.link[Symbol.dispose]();
    await clock.advance(60_000);
    assert.equal(clock.pending, 0, `situation ${at}`);
    assert.equal(seeker.state, "stopped");
  }
});

test("the release that a client sends is, for a host that does not know it, no message at all", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  // A relay of Ockam's: the way back without its end, and what is left of the route behind it.
  const host = createForeignHost((message, router) => {
    const way = message.return.withoutLast();
    const own = Address.local("forward_to_blue");
    const forward = (sent: Message) =>
      router.forward(sent.withRoutes(sent.onward.rest().prependRoute(way), sent.return));
    router.register(own, { handle: forward }, { kind: "relay" });
    router.send(
      Message.of({ onward: message.return, return: Route.of(own), payload: bare("forward_to_blue") }),
    );
  });
  const { listener } = seeker.link.up(host);
  await clock.until(() => seeker.state === "active", 1_000);
  const { received } = seeker.router.counts;

  seeker.client[Symbol.dispose]();
  await settled();

  assert.equal(readFrame(listener.sent.at(-1)!).onward, "");
  assert.equal(seeker.router.counts.received, received);
  assert.deepEqual(seeker.router.counts.dropped, {});
});

// What is told

test("each change of its state is told: of the link, of a registration, of a probe, of a failure and of its return", async () => {
  const clock = new FakeClock();
  const seeker = new Seeker(clock);
  const host = new Host(clock);
  seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);
  assert.deepEqual(seeker.told, ["connecting", "connecting", "active"]);

  seeker.link.down();
  seeker.link.up(host.router);
  await clock.until(() => seeker.state === "active", 1_000);
  assert.deepEqual(seeker.told.slice(3), ["degraded", "degraded", "degraded", "active"]);

  const refused = new Seeker(clock);
  refused.link.up(host.router);
  await clock.until(() => refused.state === "failed", 1_000);
  assert.deepEqual(refused.told, ["connecting", "failed"]);

  seeker.client[Symbol.dispose]();
  assert.equal(seeker.told.length, 7, "whoever disposes it knows");
});

test("nothing is told to whoever makes a client while it is being made", () => {
  const router = createTestNode();
  const link = new TestLink(router);
  link.up(createTestNode());
  let told = 0;
  const options = { router, link, name: "blue", log: createTestLog(), clock: new FakeClock() };
  createRelayClient({
    ...options,
    changed: () => {
      told += 1;
    },
  });
  assert.equal(told, 0);
  link.down();
  assert.equal(told, 1);
});
