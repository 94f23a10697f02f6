import assert from "node:assert/strict";
import { test } from "node:test";
import { Address } from "../../src/model/address.js";
import { encodeBareBytes } from "../../src/model/bare.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import {
  createRelayService,
  type RelayService,
  type RelayServiceLimits,
} from "../../src/relay/relay-service.js";
import type { Router } from "../../src/routing/router.js";
import { encodeMessage } from "../../src/wire/encode.js";
import { lengthBytes } from "../../src/wire/limits.js";
import { FakeClock, settled } from "../support/fake-clock.js";
import {
  connect,
  createTestGate,
  createTestLog,
  createTestNode,
  type LogLine,
  readFrame,
  type TestConnection,
  TestEnd,
} from "../support/router-pair.js";
import { liveSessions } from "../wire/live-vectors.js";

interface Host {
  readonly router: Router;
  readonly service: RelayService;
  readonly clock: FakeClock;
  readonly changes: string[];
  readonly lines: readonly LogLine[];
}

function createHost(limits: RelayServiceLimits = {}): Host {
  const router = createTestNode();
  const clock = new FakeClock();
  const changes: string[] = [];
  const log = createTestLog();
  const changed = (type: string, name: string): void => void changes.push(`${type} ${name}`);
  const service = createRelayService({ router, clock, log, limits, changed });
  return { router, service, clock, changes, lines: log.lines };
}

/** A node that dials the host; it takes what is sent to `client` and remembers it. */
class Guest {
  readonly router = createTestNode();
  readonly connection: TestConnection;
  readonly heard: Message[] = [];
  readonly client = Address.random();

  constructor(host: Host, peer = "192.0.2.7:4000") {
    this.connection = connect(
      { router: this.router, by: "relay_connection" },
      { router: host.router, by: "node_listener", peer },
    );
    const handle = (message: Message): undefined => {
      const copy = Buffer.from(message.payload);
      this.heard.push(
        Message.of({ onward: message.onward.keep(), return: message.return.keep(), payload: copy }),
      );
    };
    this.router.register(
      this.client,
      { handle },
      { kind: "relay_client", hearsFrom: this.connection.dialer },
    );
  }

  get texts(): string[] {
    return this.heard.map(({ payload }) => payload.toString("utf8", 1));
  }

  /** Sends a payload along an onward route that begins at the host. */
  send(onward: readonly string[], payload: Buffer, back: Route = Route.of(this.client)): void {
    const route = Route.of(this.connection.dialer.address, ...onward.map((text) => Address.local(text)));
    this.router.send(Message.of({ onward: route, return: back, payload }));
  }

  async claim(name: string, service = "static_forwarding_service"): Promise<void> {
    this.send([service], bare(name));
    await settled();
  }

  /** Its echo answers nothing any more; the connection stays. */
  silence(): void {
    this.connection.freeze();
  }
}

function bare(text: string): Buffer {
  return encodeBareBytes(Buffer.from(text));
}

const prefixed = (name: string): string => `forward_to_${name}`;

function droppedAt(router: Router): Record<string, number> {
  return { ...router.counts.dropped };
}

// What the protocol says

test("the live registration of an Ockam node is answered with the very bytes of a live Ockam host", async () => {
  const [session] = liveSessions.filter(({ name }) => name.startsWith("relay registration"));
  const frames = (from: string): Buffer[] =>
    session!.frames
      .filter((frame) => frame.from === from && frame.bodyHex !== undefined)
      .map(({ bodyHex }) => Buffer.from(bodyHex!, "hex"));
  const host = createHost();
  const { listener } = connect(
    { router: createTestNode(), by: "relay_connection" },
    { router: host.router, by: "node_listener" },
  );

  listener.arrive(frames("dialer")[0]!);
  await settled();

  assert.deepEqual(
    listener.sent.map((body) => body.toString("hex")),
    [frames("listener")[0]!.toString("hex")],
  );
});

test("both services take registrations, and confirm from the relay's own address with the prefixed name", async () => {
  for (const service of ["static_forwarding_service", "forwarding_service"]) {
    const host = createHost();
    const guest = new Guest(host);

    await guest.claim("blue", service);

    assert.deepEqual(readFrame(guest.connection.listener.sent[0]!), {
      onward: `0#${guest.client.text}`,
      return: "0#forward_to_blue",
      payload: "0f666f72776172645f746f5f626c7565",
    });
    assert.equal(host.router.find(Address.local("forward_to_blue"))?.kind, "relay");
  }
});

test("the word register gives a random name, another each time", async () => {
  const host = createHost();
  const guest = new Guest(host);

  await guest.claim("register");
  await guest.claim("register");

  const names = host.service.registrations().map(({ id }) => id);
  assert.equal(new Set(names).size, 2);
  for (const name of names) assert.match(name, /^[0-9a-f]{32}$/);
  assert.deepEqual(guest.texts.sort(), names.map(prefixed).sort());
});

test("a relay takes its own address away, puts the way to the client's node in front, and leaves the return route alone", async () => {
  const host = createHost();
  const target = new Guest(host);
  const sender = new Guest(host);
  await target.claim("b");

  sender.send([prefixed("b"), "echo"], Buffer.from("any bytes"));
  await settled();

  const toSender = sender.connection.listener.address;
  const toTarget = target.connection.listener.address;
  assert.deepEqual(readFrame(target.connection.listener.sent.at(-1)!), {
    onward: "0#echo",
    return: `0#${toSender.text} => 0#${sender.client.text}`,
    payload: Buffer.from("any bytes").toString("hex"),
  });
  // The answer of the target's echo passes the host as an ordinary routed message.
  assert.deepEqual(readFrame(sender.connection.listener.sent.at(-1)!), {
    onward: `0#${sender.client.text}`,
    return: `0#${toTarget.text} => 0#echo`,
    payload: Buffer.from("any bytes").toString("hex"),
  });
  assert.equal(sender.heard.length, 1);
});

test("the live message through a relay leaves the host with the bytes that a live Ockam host sends", async () => {
  const [session] = liveSessions.filter(({ name }) => name.startsWith("relay registration"));
  const bodies = session!.frames.filter(({ bodyHex }) => bodyHex !== undefined);
  const [registration] = bodies.filter(({ from }) => from === "dialer");
  const live = bodies.find(
    ({ from, decoded }) => from === "listener" && decoded?.payloadHex === "0568656c6c6f",
  )!;
  const [toSender, app] = live.decoded!.returnRoute;
  const host = createHost();
  const target = connect(
    { router: createTestNode(), by: "relay_connection" },
    { router: host.router, by: "node_listener" },
  );
  const sender = connect(
    { router: createTestNode(), by: "created_connection" },
    { router: host.router, by: "node_listener", address: Address.local(toSender!.value) },
  );
  target.listener.arrive(Buffer.from(registration!.bodyHex!, "hex"));

  sender.listener.arrive(
    encodeMessage(
      Message.of({
        onward: Route.parse("forward_to_n3 => uppercase"),
        return: Route.of(Address.local(app!.value)),
        payload: Buffer.from("0568656c6c6f", "hex"),
        trace: Buffer.from("{}"),
      }),
    ).subarray(lengthBytes),
  );
  await settled();

  assert.equal(target.listener.sent.at(-1)!.toString("hex"), live.bodyHex);
});

test("a registration through hops is confirmed and served through the same hops", async () => {
  const host = createHost();
  const guest = new Guest(host);
  const sender = new Guest(host);
  const hop = Address.local("detour");
  host.router.register(
    hop,
    { handle: (message) => host.router.forward(message.hop(hop)) },
    { kind: "service", service: "hop" },
  );

  guest.send(["detour", "static_forwarding_service"], bare("far"));
  await settled();
  assert.deepEqual(guest.texts, ["forward_to_far"]);

  sender.send([prefixed("far"), "uppercase"], bare("up"));
  await settled();
  assert.deepEqual(sender.texts, ["UP"]);
});

test("a message without a way back or without a goal behind the relay is dropped and not counted as traffic", async () => {
  const host = createHost();
  const guest = new Guest(host);
  await guest.claim("blue");

  // From a connection there is always a way back; on the node itself there may be none.
  const onward = Route.parse("forward_to_blue => echo");
  const outcome = host.router.send(Message.of({ onward, return: Route.empty, payload: bare("x") }));
  guest.send([prefixed("blue")], bare("x"));
  await settled();

  assert.equal(outcome, "route_exhausted");
  assert.deepEqual(droppedAt(host.router), { route_exhausted: 2 });
  assert.deepEqual(host.service.get("blue")?.status.forwarded, { messages: 0, bytes: 0 });
});

test("what is no BARE string of UTF-8, or far too long for a name, is dropped as malformed and answered by nothing", async () => {
  const host = createHost();
  const guest = new Guest(host);
  const payloads = ["", "05626c", "80", "02c3c3", `ff07${"61".repeat(1023)}`];

  for (const payload of payloads) guest.send(["static_forwarding_service"], Buffer.from(payload, "hex"));
  await settled();

  assert.deepEqual(droppedAt(host.router), { malformed_payload: payloads.length });
  assert.deepEqual(guest.connection.listener.sent, []);
});

test("a registration from so far away that its route would make every message a large one is dropped", async () => {
  const host = createHost();
  const guest = new Guest(host);
  // An address of 36 bytes each, and the connection's, which the host puts in front.
  const far = (hops: number): Route =>
    Route.of(...Array.from({ length: hops - 1 }, () => Address.random()), guest.client);
  guest.send(["static_forwarding_service"], bare("near"), far(27));
  guest.send(["static_forwarding_service"], bare("far"), far(28));
  await settled();
  assert.deepEqual(
    host.service.registrations().map(({ id }) => id),
    ["near"],
  );
  assert.equal(droppedAt(host.router)["route_too_long"], 1);
});

test("a registration that leads nowhere but to the connection, or that comes from the node itself, is dropped", async () => {
  const host = createHost();
  const guest = new Guest(host);

  guest.send(["static_forwarding_service"], bare("blue"), Route.empty);
  await settled();
  const onward = Route.parse("static_forwarding_service");
  const local = host.router.send(
    Message.of({ onward, return: Route.parse("a => b"), payload: bare("blue") }),
  );

  assert.equal(local, "refused");
  assert.deepEqual(droppedAt(host.router), { route_exhausted: 1, refused: 1 });
  assert.deepEqual(host.service.registrations(), []);
});

// Who may leave where

test("a relay joins the two connections, so that answers pass; two others stay apart", async () => {
  const host = createHost();
  const target = new Guest(host);
  const sender = new Guest(host);
  const stranger = new Guest(host);
  await target.claim("b");
  const toSender = sender.connection.listener;

  target.send([toSender.address.text, sender.client.text], bare("too early"));
  await settled();
  assert.deepEqual(sender.texts, []);

  sender.send([prefixed("b"), "nobody"], bare("x"));
  await settled();
  target.send([toSender.address.text, sender.client.text], bare("an answer"));
  stranger.send([toSender.address.text, sender.client.text], bare("no answer"));
  await settled();
  assert.deepEqual(sender.texts, ["an answer"]);

  target.connection.cut();
  assert.equal(toSender.joined.size, 0);
});

// Its life

test("a relay goes away with the connection that it points through, and no watcher of a connection is left", async () => {
  const host = createHost();
  const guest = new Guest(host);
  const other = new Guest(host);
  await guest.claim("one");
  await guest.claim("two");
  await other.claim("three");

  guest.connection.cut();

  assert.deepEqual(
    host.service.registrations().map(({ id }) => id),
    ["three"],
  );
  assert.equal(host.router.find(Address.local("forward_to_one")), undefined);
  assert.equal(other.connection.listener.watchers, 1);
  host.service.remove("three");
  assert.equal(other.connection.listener.watchers, 0);
  assert.deepEqual(host.changes, [
    "added one",
    "added two",
    "added three",
    "deleted one",
    "deleted two",
    "deleted three",
  ]);
});

test("a registration on a connection that has just ended comes to nothing", () => {
  const host = createHost();
  const end = new TestEnd({ router: host.router, by: "node_listener" });

  end.arrive(
    encodeMessage(
      Message.of({
        onward: Route.parse("static_forwarding_service"),
        return: Route.parse("client"),
        payload: bare("blue"),
      }),
    ).subarray(lengthBytes),
  );

  assert.deepEqual(host.service.registrations(), []);
  assert.equal(host.router.find(Address.local("forward_to_blue")), undefined);
});

test("a view tells who holds a name, since when, and what passed", async () => {
  const host = createHost();
  const guest = new Guest(host, "198.51.100.4:50123");
  const sender = new Guest(host);
  const sinceMs = host.clock.wallMs();
  await guest.claim("blue");
  sender.send([prefixed("blue"), "nobody"], Buffer.alloc(100));
  sender.send([prefixed("blue"), "nobody"], Buffer.alloc(23));
  await host.clock.advance(5_000);
  await guest.claim("blue");

  const view = host.service.get("blue");
  assert.match(view?.uid ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual(view, {
    id: "blue",
    uid: view?.uid,
    createTimeMs: sinceMs,
    status: {
      state: "active",
      address: "forward_to_blue",
      peerAddress: "198.51.100.4:50123",
      connection: guest.connection.listener.address.text,
      renewTimeMs: sinceMs + 5_000,
      forwarded: { messages: 2, bytes: 123 },
      refused: 0,
    },
  });
  assert.equal(host.service.get("red"), undefined);
});

test("a removed name is free, and its holder may claim it again", async () => {
  const host = createHost();
  const guest = new Guest(host);
  await guest.claim("blue");
  const uid = host.service.get("blue")?.uid;

  assert.equal(host.service.remove("blue"), true);
  assert.equal(host.service.remove("blue"), false);
  await guest.claim("blue");

  assert.notEqual(host.service.get("blue")?.uid, uid);
  assert.deepEqual(guest.texts, ["forward_to_blue", "forward_to_blue"]);
});

test("a holder gives its name back; from anywhere else the same words do nothing", async () => {
  const host = createHost();
  const guest = new Guest(host);
  const other = new Guest(host);
  await guest.claim("blue");

  other.send([prefixed("blue")], bare("release\n"));
  guest.send([prefixed("blue")], bare("release"));
  await settled();
  assert.notEqual(host.service.get("blue"), undefined);

  guest.send([prefixed("blue")], bare("release\n"), Route.empty);
  await settled();
  assert.equal(host.service.get("blue"), undefined);
});

test("disposing the service leaves no worker, no timer and no watcher", async () => {
  const host = createHost();
  const before = [...host.router.workers()].length;
  const guest = new Guest(host);
  const other = new Guest(host);
  await guest.claim("blue");
  await other.claim("blue");
  await other.claim("green");
  await guest.claim("blue");
  assert.equal(host.clock.pending, 1, "the renewal is to be told of");

  host.service[Symbol.dispose]();
  await settled();

  // Two addresses of the service less, two connections more.
  assert.equal([...host.router.workers()].length, before - 2 + 2);
  assert.equal(host.clock.pending, 0);
  assert.equal(guest.connection.listener.watchers + other.connection.listener.watchers, 0);
});

test("the service needs both of its addresses and takes neither if it can't have them", () => {
  const router = createTestNode();
  const taken = Address.local("forwarding_service");
  router.register(taken, { handle: () => undefined }, { kind: "service" });
  const options = { router, clock: new FakeClock(), log: createTestLog(), changed: () => {} };

  assert.throws(() => createRelayService(options), { code: "address_taken" });
  assert.equal(router.find(Address.local("static_forwarding_service")), undefined);
});

// Who holds a name

test("a claim on the connection that holds the name renews it: the newest route counts, and it is confirmed again", async () => {
  const host = createHost();
  const guest = new Guest(host);
  await guest.claim("blue");
  const uid = host.service.get("blue")?.uid;
  const second = Address.local("second client");

  guest.send(["static_forwarding_service"], bare("blue"), Route.of(Address.local("room"), second));
  await settled();
  const sender = new Guest(host);
  sender.send([prefixed("blue"), "x"], bare("hi"));
  await settled();

  const [confirmation, message] = guest.connection.listener.sent.slice(-2).map(readFrame);
  assert.equal(confirmation?.onward, "0#room => 0#second client");
  assert.equal(message?.onward, "0#room => 0#x");
  assert.equal(host.service.get("blue")?.uid, uid);
  assert.equal(host.service.get("blue")?.status.refused, 0);
});

test("a name whose holder answers stays with it: the claim is refused, counted, logged and told to the claimant", async () => {
  const host = createHost();
  const holder = new Guest(host, "192.0.2.1:1111");
  const claimant = new Guest(host, "192.0.2.2:2222");
  await holder.claim("blue");
  const uid = host.service.get("blue")?.uid;

  await claimant.claim("blue");
  await settled();

  assert.equal(host.service.get("blue")?.uid, uid);
  assert.equal(host.service.get("blue")?.status.refused, 1);
  assert.deepEqual(host.service.refused, { name_held: 1, too_many: 0, bad_name: 0 });
  const [line] = host.lines.filter(({ event }) => event === "relay_registration.refused");
  assert.deepEqual(line, {
    event: "relay_registration.refused",
    reason: "name_held",
    name: "blue",
    peer: "192.0.2.2:2222",
    holder: "192.0.2.1:1111",
    refused: 1,
  });
  assert.deepEqual(readFrame(claimant.connection.listener.sent.at(-1)!), {
    onward: `0#${claimant.client.text}`,
    return: "0#static_forwarding_service",
    payload: bare("refused name_held\n").toString("hex"),
  });
  assert.deepEqual(host.changes, ["added blue", "modified blue"]);
  assert.equal(host.clock.pending, 0);
});

test("no text of ours can be taken for a confirmation, whatever the name", async () => {
  const names = [
    "d",
    "held",
    "name_held",
    "refused name_held",
    "too_many",
    "bad_name",
    " ",
    "\n",
    "refused bad_name\n",
  ];
  for (const name of names) {
    const host = createHost();
    const holder = new Guest(host);
    const claimant = new Guest(host);
    await holder.claim(name);
    await claimant.claim(name);
    await settled();
    for (const text of claimant.texts) assert.ok(!text.endsWith(name), JSON.stringify([text, name]));
    assert.equal(host.service.refused.name_held + host.service.refused.bad_name > 0, true);
  }
});

test("who asked for any name is never told of a refusal, because it takes any text for its name", async () => {
  const host = createHost({ registrations: 0 });
  const guest = new Guest(host);

  await guest.claim("register");

  assert.deepEqual(guest.connection.listener.sent, []);
  assert.equal(host.service.refused.too_many, 1);
});

test("a name changes hands when its holder has been silent for 2 s, and no sooner", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  const uid = host.service.get("blue")?.uid;
  holder.silence();

  await claimant.claim("blue");
  await host.clock.advance(1_999);
  assert.deepEqual(claimant.texts, []);
  await host.clock.advance(1);

  assert.deepEqual(claimant.texts, ["forward_to_blue"]);
  const view = host.service.get("blue");
  assert.notEqual(view?.uid, uid);
  assert.equal(view?.status.connection, claimant.connection.listener.address.text);
  assert.deepEqual(host.changes, ["added blue", "deleted blue", "added blue"]);
  assert.ok(host.lines.some(({ event }) => event === "relay_registration.taken_over"));
  assert.equal(holder.connection.listener.watchers, 0);
});

for (const isTaking of [true, false]) {
  const what = isTaking ? "takes what is sent and has more to come keeps" : "takes nothing loses";
  test(`a silent holder whose connection ${what} its name`, async () => {
    const host = createHost();
    const holder = new Guest(host);
    const claimant = new Guest(host);
    await holder.claim("blue");
    holder.silence();
    let watched = 0;
    Object.assign(holder.connection.listener, {
      watchTaking() {
        watched += 1;
        return () => Promise.resolve(isTaking);
      },
    });

    await claimant.claim("blue");
    await host.clock.advance(2_000);

    assert.deepEqual(claimant.texts, [isTaking ? "refused name_held\n" : "forward_to_blue"]);
    assert.equal(host.service.refused.name_held, isTaking ? 1 : 0);
    assert.equal(watched, 1);
  });
}

test("a holder whose echo is out of reach keeps its name if its client answers", async () => {
  const host = createHost();
  const router = createTestNode();
  // On such a connection the policy lets nothing reach the echo.
  const link = connect({ router, by: "created_connection" }, { router: host.router, by: "node_listener" });
  const client = Address.random();
  const answer = (message: Message) =>
    message.payload.toString("utf8", 1).startsWith("alive ")
      ? router.forward(
          Message.of({ onward: message.return, return: Route.of(client), payload: message.payload }),
        )
      : undefined;
  router.register(client, { handle: answer }, { kind: "relay_client", hearsFrom: link.dialer });
  const onward = Route.of(link.dialer.address, Address.local("static_forwarding_service"));
  router.send(Message.of({ onward, return: Route.of(client), payload: bare("blue") }));
  await settled();
  const claimant = new Guest(host);

  await claimant.claim("blue");
  await settled();

  assert.equal(router.counts.dropped["denied_by_policy"], 1);
  assert.deepEqual(claimant.texts, ["refused name_held\n"]);
});

test("an answer counts only from the holder's own connection", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  holder.silence();
  await claimant.claim("blue");
  const asked = readFrame(holder.connection.listener.sent.at(-1)!);

  // Even somebody who knows the secret address of the question can't answer for the holder.
  claimant.send([asked.return.slice(2)], Buffer.from(asked.payload, "hex"));
  await host.clock.advance(2_000);

  assert.equal(droppedAt(host.router)["not_the_bound_connection"], 1);
  assert.deepEqual(claimant.texts, ["forward_to_blue"]);
});

test("of several claims during the question the first counts, and the others are refused at once", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const [first, second, third] = [new Guest(host), new Guest(host), new Guest(host)];
  await holder.claim("blue");
  holder.silence();

  await first.claim("blue");
  await second.claim("blue");
  await third.claim("blue");
  assert.deepEqual([second.texts, third.texts], [["refused name_held\n"], ["refused name_held\n"]]);
  await host.clock.advance(2_000);

  assert.deepEqual(first.texts, ["forward_to_blue"]);
  assert.equal(host.service.refused.name_held, 2);
});

test("a claimant that repeats itself during the question is one claimant, with its newest route", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  holder.silence();

  await claimant.claim("blue");
  claimant.send(["static_forwarding_service"], bare("blue"), Route.parse("newest"));
  await host.clock.advance(2_000);

  assert.equal(readFrame(claimant.connection.listener.sent.at(-1)!).onward, "0#newest");
  assert.equal(host.service.refused.name_held, 0);
});

test("a claim is granted at once when the holder's connection ends during the question", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  holder.silence();
  await claimant.claim("blue");

  holder.connection.cut();
  await settled();

  assert.deepEqual(claimant.texts, ["forward_to_blue"]);
  assert.equal(host.clock.pending, 0);
  assert.deepEqual(host.changes, ["added blue", "deleted blue", "added blue"]);
});

test("a claim is granted at once when the registration is removed during the question", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  holder.silence();
  await claimant.claim("blue");

  host.service.remove("blue");
  await settled();

  assert.deepEqual(claimant.texts, ["forward_to_blue"]);
});

test("a claim ends with the connection of its claimant, and the question with it", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  const uid = host.service.get("blue")?.uid;
  holder.silence();
  await claimant.claim("blue");

  claimant.connection.cut();
  await settled();
  assert.equal(host.clock.pending, 0);
  await host.clock.advance(2_000);

  assert.equal(host.service.get("blue")?.uid, uid);
  assert.equal(claimant.connection.listener.watchers, 0);
});

test("a holder that claims its name during the question has answered it", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  const uid = host.service.get("blue")?.uid;
  holder.connection.listener.isBlackHole = true;
  await claimant.claim("blue");

  await holder.claim("blue");

  assert.equal(host.service.get("blue")?.uid, uid);
  assert.deepEqual(claimant.texts, ["refused name_held\n"]);
  assert.deepEqual(
    [...host.router.workers()].filter(({ kind }) => kind === "reply"),
    [],
    "the question is over",
  );
});

test("a holder that has just answered is not asked again, however often its name is claimed", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  await claimant.claim("blue");
  await settled();
  const asked = holder.connection.listener.sent.length;

  for (let count = 0; count < 100; count += 1) await claimant.claim("blue");

  assert.equal(holder.connection.listener.sent.length, asked);
  assert.equal(host.service.get("blue")?.status.refused, 101);
  // Neither the change log nor the log file grows with them, and the last count is told in the end.
  assert.deepEqual(host.changes, ["added blue", "modified blue"]);
  await host.clock.advance(1_000);
  assert.deepEqual(host.changes, ["added blue", "modified blue", "modified blue"]);
  assert.equal(host.lines.filter(({ event }) => event === "relay_registration.refused").length, 1);
});

test("a holder whose connection is too full for the question keeps its name", async () => {
  const host = createHost();
  const holder = new Guest(host);
  const claimant = new Guest(host);
  await holder.claim("blue");
  holder.connection.listener.isFull = true;

  await claimant.claim("blue");
  await host.clock.advance(2_000);

  assert.deepEqual(claimant.texts, ["refused name_held\n"]);
  assert.equal(holder.connection.listener.waiting, 0);
});

test("a worker of this node that has the address already counts as a holder", async () => {
  const host = createHost();
  const guest = new Guest(host);
  host.router.register(Address.local("forward_to_blue"), { handle: () => undefined }, { kind: "service" });

  await guest.claim("blue");

  assert.deepEqual(guest.texts, ["refused name_held\n"]);
});

// Limits

test("a connection holds and contests no more names than its limit, and what it gives up counts no more", async () => {
  const host = createHost({ registrationsPerConnection: 2 });
  const holder = new Guest(host);
  const guest = new Guest(host);
  await holder.claim("contested");
  holder.silence();

  await guest.claim("one");
  await guest.claim("contested");
  await guest.claim("two");
  await holder.claim("ok");
  assert.deepEqual(guest.texts, ["forward_to_one", "refused too_many\n"]);

  host.service.remove("one");
  await guest.claim("two");
  await host.clock.advance(2_000);
  await guest.claim("three");
  assert.deepEqual(guest.texts.slice(2), ["forward_to_two", "forward_to_contested", "refused too_many\n"]);
  assert.equal(host.service.refused.too_many, 2);
});

test("who claims and releases names without end is given as many as its limit, then one a second, and told so", async () => {
  const host = createHost({ registrationsPerConnection: 3 });
  const guest = new Guest(host);
  const other = new Guest(host);
  await other.claim("held");
  const claimAndRelease = async (name: string): Promise<void> => {
    await guest.claim(name);
    guest.send([prefixed(name)], bare("release\n"), Route.empty);
    await settled();
  };
  const deletions = (): number => host.changes.filter((change) => change.startsWith("deleted")).length;

  for (let at = 0; at < 100; at += 1) await claimAndRelease(`name${at % 7}`);
  await guest.claim("held");

  assert.deepEqual([host.changes.length, deletions()], [7, 3]);
  assert.equal(host.service.refused.too_many, 98);
  assert.equal(guest.texts.at(-1), "refused too_many\n");
  assert.equal(host.lines.length, 7 + 1);
  assert.equal(other.heard.length, 1, "its holder was not asked");
  assert.equal(guest.connection.listener.watchers, 0);
  await other.claim("name0");
  assert.equal(other.texts.at(-1), "forward_to_name0");

  await host.clock.advance(999);
  await claimAndRelease("late");
  assert.equal(deletions(), 3);
  await host.clock.advance(1);
  for (const name of ["late", "later"]) await claimAndRelease(name);
  assert.equal(deletions(), 4);
  await host.clock.advance(60_000);
  for (let at = 0; at < 100; at += 1) await claimAndRelease("blue");
  assert.equal(deletions(), 7);
});

test("a node gives out no more names than its limit, whoever asks", async () => {
  const host = createHost({ registrations: 2 });
  const guests = [new Guest(host), new Guest(host), new Guest(host)];
  for (const [at, guest] of guests.entries()) await guest.claim(`name${at}`);

  assert.deepEqual(guests[2]?.texts, ["refused too_many\n"]);
  guests[0]?.connection.cut();
  await guests[2]?.claim("name2");
  assert.deepEqual(guests[2]?.texts.at(-1), "forward_to_name2");
});

test("a name has 1 to 255 bytes, no slash, no number sign and no control character", async () => {
  const host = createHost();
  const guest = new Guest(host);
  const bad = [
    "",
    "a/b",
    "#",
    "a\u0000",
    "a\u001b[2J",
    "\u0085",
    "a\u202Eb",
    "\u2028",
    "é".repeat(128),
    "x".repeat(256),
  ];
  for (const name of bad) await guest.claim(name);
  assert.deepEqual(host.service.registrations(), []);
  assert.equal(host.service.refused.bad_name, bad.length);

  const good = ["a", "x".repeat(255), "é".repeat(127), "a b", "名前", "forward_to_x"];
  for (const name of good) await guest.claim(name);
  assert.deepEqual(
    host.service.registrations().map(({ id }) => id),
    [...good].sort(),
  );
});

// Full queues

test("a message for a full connection is not taken: nothing is counted, and it passes when there is room", async () => {
  const host = createHost();
  const target = new Guest(host);
  const sender = new Guest(host);
  await target.claim("blue");
  target.connection.listener.isFull = true;

  sender.send([prefixed("blue"), "uppercase"], bare("up"));
  await settled();
  assert.equal(sender.connection.listener.held, 1);
  assert.deepEqual(host.service.get("blue")?.status.forwarded, { messages: 0, bytes: 0 });
  assert.equal(sender.connection.listener.joined.size, 0);

  target.connection.listener.isFull = false;
  await settled();
  assert.deepEqual(sender.texts, ["UP"]);
  assert.deepEqual(host.service.get("blue")?.status.forwarded, { messages: 1, bytes: 3 });
});

test("a confirmation waits for room: one for each name, the newest, and none after the name is gone", async () => {
  const host = createHost();
  const guest = new Guest(host);
  const { listener } = guest.connection;
  listener.isFull = true;

  for (const back of ["first", "second", "third"]) {
    guest.send(["static_forwarding_service"], bare("blue"), Route.parse(back));
  }
  await guest.claim("green");
  assert.equal(listener.held, 0, "the connection goes on reading");
  assert.equal(listener.waiting, 2);
  host.service.remove("green");
  assert.equal(listener.waiting, 1);

  listener.isFull = false;
  assert.deepEqual(
    listener.sent.map((body) => readFrame(body).onward),
    ["0#third"],
  );
});

test("a refusal for a full connection is dropped, and nothing waits for it", async () => {
  const host = createHost({ registrations: 0 });
  const guest = new Guest(host);
  guest.connection.listener.isFull = true;

  await guest.claim("blue");

  assert.equal(host.service.refused.too_many, 1);
  assert.equal(guest.connection.listener.waiting, 0);
});

test("a gate in front of a relay's first hop is given back as it is", async () => {
  const host = createHost();
  const guest = new Guest(host);
  const gate = createTestGate();
  host.router.register(Address.local("wall"), { handle: () => gate }, { kind: "service", service: "hop" });
  await guest.claim("blue");
  guest.connection.listener.isFull = true;

  const message = Message.of({
    onward: Route.parse("forward_to_blue => echo"),
    return: Route.parse("here"),
    payload: bare("x"),
  });

  assert.equal(typeof host.router.send(message), "object");
});
