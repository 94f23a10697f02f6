import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PortwayError } from "../../src/base/errors.js";
import { MultiAddr, type MultiAddrProtocol } from "../../src/model/multiaddr.js";

const values: Readonly<Record<MultiAddrProtocol, readonly string[]>> = {
  node: ["n1", "a_b-C9", "x".repeat(63)],
  service: ["echo", "forward_to_n3", "x.y:z", "é", "x".repeat(255)],
  worker: ["0123456789abcdef0123456789abcdef"],
  secure: ["api"],
  ip4: ["127.0.0.1", "255.255.255.255"],
  ip6: ["::1", "2001:db8::1", "::ffff:127.0.0.1"],
  dnsaddr: ["localhost", "a.b-c.example", "x_y", "x".repeat(63)],
  tcp: ["1", "4000", "65535"],
  udp: ["1", "4000", "65535"],
};

test("each protocol is read with its values and shown as it was given", () => {
  for (const [protocol, good] of Object.entries(values)) {
    for (const value of good) {
      const text = `/${protocol}/${value}`;
      const multiaddr = MultiAddr.parse(text);
      assert.deepEqual(multiaddr.parts, [{ protocol, value }]);
      assert.equal(multiaddr.toString(), text);
    }
  }
});

test("a value that its protocol can't have is refused with the value and the whole text", () => {
  for (const [protocol, bad] of Object.entries({
    node: ["a.b", "a b", "é", "x".repeat(64)],
    service: ["0#echo", "#", "x".repeat(256), "é".repeat(128)],
    worker: ["a#b"],
    secure: ["a#b"],
    ip4: ["127.0.0", "256.0.0.1", "::1", "localhost", "127.0.0.1:80"],
    ip6: ["127.0.0.1", "[::1]", ":::", "localhost"],
    dnsaddr: ["-a", "a-", ".a", "a.", "a..b", "a b", "é", "x".repeat(64), "a:80"],
    udp: ["0", "65536"],
    tcp: ["0", "00000", "65536", "-1", "+1", "80a", "1e3", "123456", "0x50"],
  })) {
    for (const value of bad) {
      const text = `/${protocol}/${value}`;
      assert.throws(
        () => MultiAddr.parse(text),
        (error: PortwayError) =>
          error.code === "bad_route" && error.message.includes(`"${value}"`) && error.facts["route"] === text,
        text,
      );
    }
  }
});

test("a protocol that nobody knows is refused with those that there are", () => {
  for (const text of [
    "/sctp/1",
    "/echo",
    "/constructor/x",
    "/__proto__/x",
    "/IP4/127.0.0.1",
    "/service/a/quic/1",
  ]) {
    assert.throws(() => MultiAddr.parse(text), { code: "bad_route" }, text);
  }
  assert.throws(() => MultiAddr.parse("/sctp/1"), {
    message:
      '"/sctp/1" is not a route: "sctp" is none of node, service, worker, secure, ip4, ip6, dnsaddr, tcp, udp',
  });
});

test("a protocol of Ockam that Portway does not have is refused by name", () => {
  for (const text of ["/project/p/service/echo", "/service/x/space/s", "/project"]) {
    assert.throws(() => MultiAddr.parse(text), {
      code: "unsupported",
      message: /no (projects|spaces): name the/,
    });
  }
});

test("a missing value is refused with the protocol that wants one", () => {
  for (const text of [
    "/service",
    "/service/",
    "/ip4/127.0.0.1/tcp",
    "/ip4/127.0.0.1/tcp/",
    "/service//tcp/1",
  ]) {
    assert.throws(() => MultiAddr.parse(text), {
      code: "bad_route",
      message: /a value must follow \/(service|tcp)$/,
    });
  }
});

test("a word alone is refused as no protocol, not for its missing value", () => {
  for (const text of ["n1", "/n1", "/service/echo/n1"]) {
    assert.throws(() => MultiAddr.parse(text), { code: "bad_route", message: /: "n1" is none of node, / });
  }
});

test("a slash too many is refused", () => {
  for (const text of ["//", "/service/echo/", "//service/echo", "/service/echo//"]) {
    const message = /: there is a "\/" too many$/;
    assert.throws(() => MultiAddr.parse(text), { code: "bad_route", message }, text);
  }
});

test("the leading slash may be left out", () => {
  assert.equal(MultiAddr.parse("service/echo").toString(), "/service/echo");
  assert.equal(MultiAddr.parse("dnsaddr/localhost/tcp/4000").parts.length, 2);
});

test("the empty text and a lone slash have no parts", () => {
  for (const text of ["", "/"]) {
    assert.deepEqual(MultiAddr.parse(text).parts, []);
    assert.deepEqual(MultiAddr.parse(text).steps(), []);
    assert.equal(MultiAddr.parse(text).toString(), "");
  }
});

test("self means the secure channel listener, and only as the whole text", () => {
  assert.equal(MultiAddr.parse("self").toString(), "/secure/api");
  for (const text of ["/self", "self/", "/self/x"])
    assert.throws(() => MultiAddr.parse(text), { code: "bad_route" }, text);
});

test("a text above 4096 bytes is refused without being repeated", () => {
  const text = `/service/${"a".repeat(200)}`.repeat(20);
  assert.throws(
    () => MultiAddr.parse(text),
    (error: PortwayError) => error.code === "bad_route" && error.message.length < 100,
  );
});

function stepsOf(text: string): string[] {
  return MultiAddr.parse(text)
    .steps()
    .map((step) =>
      step.kind === "worker"
        ? `worker ${step.address}`
        : `connect ${step.over} ${step.peer.host} ${step.peer.port}`,
    );
}

test("the steps of a route are its workers and its one node, in order", () => {
  assert.deepEqual(stepsOf("/service/hop/worker/x"), ["worker 0#hop", "worker 0#x"]);
  assert.deepEqual(stepsOf("/dnsaddr/localhost/tcp/4000/service/echo"), [
    "connect tcp localhost 4000",
    "worker 0#echo",
  ]);
  assert.deepEqual(stepsOf("/ip6/::1/tcp/04000"), ["connect tcp ::1 4000"]);
  assert.deepEqual(stepsOf("/ip4/127.0.0.1/udp/4000/service/echo"), [
    "connect udp 127.0.0.1 4000",
    "worker 0#echo",
  ]);
  assert.deepEqual(stepsOf("/service/hop/ip4/127.0.0.1/tcp/1/service/echo"), [
    "worker 0#hop",
    "connect tcp 127.0.0.1 1",
    "worker 0#echo",
  ]);
});

test("a route that can't be taken is refused with the part that stands in the way", () => {
  for (const [text, says] of [
    ["/dnsaddr/localhost", "/dnsaddr/localhost must be followed by /tcp/PORT or /udp/PORT"],
    ["/ip4/127.0.0.1/service/echo", "/ip4/127.0.0.1 must be followed by /tcp/PORT or /udp/PORT"],
    ["/tcp/4000", "/tcp/4000 must follow /dnsaddr/HOST, /ip4/A.B.C.D or /ip6/ADDRESS"],
    ["/udp/4000", "/udp/4000 must follow /dnsaddr/HOST, /ip4/A.B.C.D or /ip6/ADDRESS"],
    ["/ip4/127.0.0.1/udp/1/tcp/2", "/tcp/2 must follow /dnsaddr/HOST, /ip4/A.B.C.D or /ip6/ADDRESS"],
    ["/service/x/tcp/4000", "/tcp/4000 must follow /dnsaddr/HOST, /ip4/A.B.C.D or /ip6/ADDRESS"],
    ["/ip4/127.0.0.1/tcp/1/tcp/2", "/tcp/2 must follow /dnsaddr/HOST, /ip4/A.B.C.D or /ip6/ADDRESS"],
    ["/ip4/127.0.0.1/tcp/1/ip6/::1/tcp/2", "only one part may name a node to connect to"],
    [
      "/node/n1/service/echo",
      "/node/n1 must be replaced by the node's address: names are known to clients only",
    ],
  ] as const) {
    assert.throws(() => MultiAddr.parse(text).steps(), {
      code: "bad_route",
      message: `"${text}" is not a route that can be taken: ${says}`,
      facts: { route: text },
    });
  }
});

test("a secure channel in a route is refused by name", () => {
  for (const text of ["self", "/service/x/secure/api"]) {
    assert.throws(() => MultiAddr.parse(text).steps(), {
      code: "unsupported",
      facts: { part: "/secure/api" },
    });
  }
});

test("replace puts other parts in the place of those it is given something for, and leaves the route as it was", () => {
  const given = MultiAddr.parse("/node/n2/service/hop/node/n3");
  const replaced = given.replace(({ protocol, value }) =>
    protocol === "node" ? MultiAddr.parse(`/dnsaddr/${value}/tcp/4000`) : undefined,
  );
  assert.equal(replaced.toString(), "/dnsaddr/n2/tcp/4000/service/hop/dnsaddr/n3/tcp/4000");
  assert.equal(given.toString(), "/node/n2/service/hop/node/n3");
  assert.equal(
    given.replace(({ protocol }) => (protocol === "node" ? new MultiAddr([]) : undefined)).toString(),
    "/service/hop",
  );
});

test("a route of any parts is read back from its text", () => {
  const part = fc
    .constantFrom(...(Object.keys(values) as MultiAddrProtocol[]))
    .chain((protocol) =>
      fc.record(
        { protocol: fc.constant(protocol), value: fc.constantFrom(...values[protocol]) },
        { noNullPrototype: true },
      ),
    );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      assert.deepEqual(MultiAddr.parse(new MultiAddr(parts).toString()).parts, parts);
    }),
  );
});

test("any text is a route or an error of ours", () => {
  const word = fc.oneof(
    fc.constantFrom(...Object.keys(values), "self", "", "project", "1", "::1"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      try {
        MultiAddr.parse(words.join("/")).steps();
      } catch (error) {
        assert.ok(
          error instanceof PortwayError && ["bad_route", "unsupported"].includes(error.code),
          String(error),
        );
      }
    }),
    { numRuns: 2000 },
  );
});
