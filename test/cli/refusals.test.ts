import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type RefusedFlag, refusedCommands, refusedFlags } from "../../src/cli/refusals.js";
import { portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

/** The flags of ockam that are refused, by command. */
const byCommand: Readonly<Record<string, readonly RefusedFlag[]>> = {
  "node create n1": [
    "identity",
    "udpListener",
    "launchConfiguration",
    "launchConfig",
    "enrollmentTicket",
    "project",
    "projectName",
    "authorityIdentity",
    "authorityRoute",
    "credentialScope",
    "childProcess",
    "opentelemetryContext",
    "statusEndpoint",
  ],
  "tcp-connection create --from n1 --to 7000": ["identity"],
  "message send x --to /service/echo": [
    "identity",
    "project",
    "projectName",
    "authorityIdentity",
    "authorityRoute",
    "credentialScope",
    "credential",
  ],
  "relay create r --at /node/n1": ["authorized", "projectRelay"],
  "tcp-outlet create --to 9000": [
    "tls",
    "allow",
    "expression",
    "ebpf",
    "privileged",
    "skipHandshake",
    "enableNagle",
  ],
  "tcp-inlet create --to /service/outlet": [
    "via",
    "identity",
    "authorized",
    "allow",
    "expression",
    "udp",
    "noTcpFallback",
    "ebpf",
    "privileged",
    "tls",
    "tlsCertificateProvider",
    "skipHandshake",
    "enableNagle",
  ],
};

describe("what is not enforced here is refused by name, and nothing is done", () => {
  for (const [command, flags] of Object.entries(byCommand)) {
    for (const flag of flags) {
      const [text, why] = refusedFlags[flag];
      for (const spelling of spellings(text)) {
        test(`${command} ${spelling}`, async () => {
          const daemon = new FakeDaemon();
          const { code, stdout, stderr } = await portway(`${command} ${spelling}`, { daemon });
          assert.equal(code, 64);
          assert.equal(stdout, "");
          const long = /--[\w-]+/.exec(text)![0];
          assert.ok(
            stderr.includes(`${long} of \`portway ${command.split(" ").slice(0, 2).join(" ")}\``),
            stderr,
          );
          assert.ok(stderr.includes(why), stderr);
          assert.deepEqual(daemon.calls, []);
        });
      }
    }
  }

  for (const command of Object.keys(refusedCommands)) {
    test(`portway ${command}`, async () => {
      const { code, stderr } = await portway(`${command} create x --whatever`);
      assert.equal(code, 64);
      assert.ok(stderr.startsWith(`error: the command \`${command}\` is not supported: `), stderr);
    });
  }

  for (const [route, part] of [
    ["/node/n1/secure/api/service/echo", "/secure"],
    ["secure/api", "/secure"],
    ["/project/default/service/echo", "/project"],
    ["/space/s/service/echo", "/space"],
    ["self", "self"],
  ] as const) {
    for (const command of [
      `message send x --to ${route}`,
      `tcp-inlet create --to ${route}`,
      `relay create r --at ${route.includes("/") ? route : `/${route}/x`}`,
    ]) {
      if (part === "self" && command.startsWith("relay")) continue;
      if (part === "self" && command.startsWith("tcp-inlet")) continue;
      test(command, async () => {
        const daemon = new FakeDaemon();
        const { code, stderr } = await portway(command, { daemon });
        assert.equal(code, 64);
        assert.ok(stderr.includes(part), stderr);
        assert.match(stderr, /is not supported: /);
        assert.deepEqual(daemon.calls, []);
      });
    }
  }

  test("what ockam does over UDP is refused with what there is over UDP here", async () => {
    for (const [line, said] of [
      ["node create n1 --udp", /use `portway udp-listener create`/],
      ["tcp-inlet create --to /service/outlet --udp", /portals are led over TCP: UDP carries messages/],
      ["rendezvous create", /needs a `portway udp-listener` that can be reached/],
    ] as const) {
      assert.match((await portway(line)).stderr, said);
    }
  });

  test("the -a of --authorized is refused under its long name", async () => {
    const { code, stderr } = await portway("relay create r --at n2 -a I12");
    assert.equal(code, 64);
    assert.match(stderr, /--authorized/);
  });

  test("a --relay-address that can't be registered is told what is expected", async () => {
    for (const address of ["a/b", "a#b", "ä".repeat(128)]) {
      const daemon = new FakeDaemon();
      const line = `relay create r --at n2 --relay-address ${address}`;
      const { code, stderr } = await portway(line, { daemon });
      assert.equal(code, 64);
      const said = `--relay-address: "${address}" can't be registered: expected at most 255 bytes without "/" and "#"`;
      assert.equal(stderr, `error: ${said}\n`);
      assert.deepEqual(daemon.calls, []);
    }
  });

  test("a worker address that is too long is told how long it may be", async () => {
    const address = "a".repeat(256);
    for (const line of [
      `tcp-outlet create --to 9000 --from ${address}`,
      `service start hop --addr ${address}`,
    ]) {
      const { code, stderr } = await portway(line);
      assert.equal(code, 64);
      assert.match(stderr, /^error: --(from|addr): .* expected a word of at most 255 bytes without/);
    }
  });

  test("an inlet whose route ends at a node has no outlet to lead to", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n2", { daemon });
    for (const route of ["/node/n2", "/dnsaddr/localhost/tcp/7000", "/service/hop/node/n2"]) {
      const { code, stderr } = await portway(`tcp-inlet create --at n2 --to ${route}`, { daemon });
      assert.equal(code, 64, route);
      const said = `--to: the route ${route} ends at a node: expected the outlet as its last part, /service/ADDRESS`;
      assert.equal(stderr, `error: ${said}\n`);
    }
    assert.equal(daemon.nodes.get("n2")?.inlets.size, 0);
  });

  test("--retry-wait 0 would be an inlet that gives up: that there is not", async () => {
    const { code, stderr } = await portway("tcp-inlet create --to /service/outlet --retry-wait 0");
    assert.equal(code, 64);
    assert.match(stderr, /--retry-wait 0 is not supported/);
  });

  for (const shell of ["powershell", "elvish"]) {
    test(`completion --shell ${shell}`, async () => {
      const { code, stderr } = await portway(`completion --shell ${shell}`);
      assert.equal(code, 64);
      assert.match(stderr, new RegExp(`--shell ${shell} is not supported`));
    });
  }

  test("reset --all would delete spaces of an Orchestrator", async () => {
    const { code, stderr } = await portway("reset --all -y");
    assert.equal(code, 64);
    assert.match(stderr, /--all of `portway reset`/);
  });
});

/** With a value after a space, with `=`, and without. */
function spellings(flags: string): string[] {
  const long = /--[\w-]+/.exec(flags)![0];
  return flags.includes("<") ? [`${long} value`, `${long}=value`] : [long];
}
