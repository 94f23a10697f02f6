import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";
import { projectRoot } from "../support/project-root.js";

/** What commands of ockam 0.150 printed into a pipe, one after the other on an empty home. */
interface Recorded {
  readonly command: string;
  readonly exit: number;
  readonly stdout: string;
}

const { runs } = JSON.parse(
  readFileSync(join(projectRoot, "test/cli/vectors/ockam-0.150-cli.json"), "utf8"),
) as { readonly runs: readonly Recorded[] };

/** Commands that Portway refuses by name. */
const refusedNouns = /^ockam (secure-channel|secure-channel-listener|identity) /;

/** Where Portway prints something else, by command, and why. */
const deviations: Readonly<Record<string, (stdout: string) => void>> = {
  // A name and JSON in a row can't be used by a script: only the name.
  "ockam node start n1": (stdout) => assert.equal(stdout, "n1"),
  // Names without anything between them can't be told apart.
  "ockam node delete --all -y": (stdout) => assert.match(stdout, /^(inline\nn3\nn2|\[\])$/),
  // A text for people there; here what a script can use.
  "ockam node default": (stdout) => assert.equal(stdout, "n2"),
  "ockam tcp-listener create 127.0.0.1:7400 --at n1": (stdout) =>
    assert.equal(stdout, "/dnsaddr/localhost/tcp/7400"),
  "ockam node stop n1": (stdout) => assert.match(stdout, /n1 was stopped/),
  // Other facts are told of another daemon.
  "ockam status": (stdout) => assert.equal(JSON.parse(stdout).running, true),
  "ockam status --output json": (stdout) => assert.equal(JSON.parse(stdout).nodes.length, 3),
  // JSON where there was a text for people, or nothing.
  "ockam service start hop --at n3": (stdout) => assert.equal(JSON.parse(stdout).addr, "hop"),
  "ockam relay delete blue --at n3 -y": (stdout) =>
    assert.deepEqual(JSON.parse(stdout), { name: "blue", node: "n3" }),
  "ockam completion --shell bash": (stdout) => assert.match(stdout, /^complete .*_portway portway$/m),
};

/** Where Portway ends in another way, by command, and why. */
const otherExits: Readonly<Record<string, number>> = {
  // Ockam takes it for a configuration whose only key it does not know, and ignores it.
  "ockam node create {name:n9}": 64,
  // There the reply is not understood.
  "ockam message send 68656c6c6f --hex --from n1 --to /node/n2/service/echo": 0,
};

/** They delete the state of a home, which the pretended daemon has not: see reset.test.ts. */
const elsewhere = new Set(["ockam reset -y"]);

/** Fields that have no meaning in Portway: the value that they have instead. */
const meaningless: Readonly<Record<string, unknown>> = {
  flow_control_id: null,
  identity_name: null,
  secure_channel_listeners: [],
  status_endpoint_address: null,
};

describe("what worked with ockam 0.150 works with the name changed", async () => {
  const daemon = new FakeDaemon();
  let connection = "";
  for (const [index, recorded] of runs.entries()) {
    if (elsewhere.has(recorded.command)) continue;
    const isOther = recorded.command in otherExits;
    const exit = refusedNouns.test(recorded.command) ? 64 : (otherExits[recorded.command] ?? recorded.exit);
    await test(`${index}: ${recorded.command}`, async () => {
      const line = recorded.command.replace(/^ockam /, "").replaceAll(recordedConnection, connection);
      const { code, stdout, stderr } = await portway(line, { daemon });
      assert.equal(code, exit, stderr);
      if (code !== 0) {
        assert.equal(stdout, "");
        assert.match(stderr, /^(!.*\n)?error: ./);
        return;
      }
      if (isOther) return;
      const deviation = deviations[recorded.command];
      if (deviation !== undefined) return deviation(stdout);
      // `ockam node default n3` prints n3 and leaves n2 the default; here it is n3 from then on.
      compare(
        stdout,
        index > 17 ? recorded.stdout.replaceAll(/"is_default": \w+/g, isDefaultOf(stdout)) : recorded.stdout,
      );
      if (connection === "" && line.startsWith("tcp-connection create"))
        connection = stdout.slice("/worker/".length);
    });
  }
});

/** Gives the values of `is_default` in `stdout`, one for each call. */
function isDefaultOf(stdout: string): () => string {
  const values = stdout.match(/"is_default": \w+/g) ?? [];
  return () => values.shift() ?? "";
}

const recordedConnection = "89bd1744abb7aa7298d7a3629719ef77";

function compare(stdout: string, recorded: string): void {
  // A text for people, or nothing: JSON is welcome there.
  if (recorded === "" || recorded.startsWith("  ")) {
    JSON.parse(stdout);
    return;
  }
  if (!/^[[{]/.test(recorded)) {
    assert.equal(masked(stdout), masked(recorded));
    return;
  }
  assert.equal(stdout, JSON.stringify(JSON.parse(stdout), null, 2), "two spaces, no newline at the end");
  const [ours, theirs] = [JSON.parse(stdout), expected(JSON.parse(recorded))];
  assert.equal(JSON.stringify(maskedAll(ours), null, 2), JSON.stringify(maskedAll(theirs), null, 2));
}

/** The recorded value with what has no meaning in Portway replaced. */
function expected(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key in meaningless ? meaningless[key] : expected(inner),
    ]),
  );
}

function maskedAll(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskedAll);
  if (typeof value === "string") return masked(value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "pid" && inner !== null ? "<pid>" : maskedAll(inner),
    ]),
  );
}

/** Without what is random: addresses, ports that were free, names that were chosen, where a log is. */
function masked(text: string): string {
  return text
    .replace(/\b[0-9a-f]{32}\b/g, "<address>")
    .replace(/\b([34]\d{4})\b/g, "<port>")
    .replace(/dandy-toadfish|an-outlet-[0-9a-f]{6}/, "<name>")
    .replace(/.*\/(n\d)(\/stdout\.[\d-]+)?\.log$/, "<logs>/$1.log");
}
