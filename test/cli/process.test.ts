import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { version } from "../../src/base/version.js";
import { Machine } from "../e2e/support/machine.js";
import { isAlive, mainPath } from "../e2e/support/processes.js";
import { until } from "../e2e/support/until.js";
import { projectRoot } from "../support/project-root.js";
import { hasTerminal, onTerminal } from "../support/pseudo-terminal.js";

describe("the version", () => {
  test("is that of the package", () => {
    const { version: packaged } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
    assert.equal(version, packaged);
  });

  test("is printed by -V and --version, at the cost of at most 2.5 empty programs", () => {
    const rounds = 7;
    const ours: number[] = [];
    const empty: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      empty.push(timed(["-e", "0"], ""));
      ours.push(timed([mainPath, round % 2 === 0 ? "--version" : "-V"], `portway ${version}\n`));
    }
    const ratio = median(ours) / median(empty);
    assert.ok(ratio <= 2.5, `${ratio} times ${median(empty)} ms`);
  });

  function timed(args: readonly string[], expected: string): number {
    const startMs = performance.now();
    const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(stdout, expected);
    return performance.now() - startMs;
  }
});

describe("the daemon of the commands", () => {
  test("is one, started by 50 commands at once on an empty home, and all are answered", async () => {
    await using machine = new Machine();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, number) => machine.cli(["node", "create", `n${number}`])),
    );
    const failed = answers.filter(({ code }) => code !== 0);
    assert.deepEqual(failed, []);
    const pid = await machine.pid();
    const shown: { node_name: string; pid: number }[] = JSON.parse(await machine.run("node list"));
    assert.equal(shown.length, 50);
    assert.deepEqual([...new Set(shown.map((node) => node.pid))], [pid]);
  });

  test("ends by itself when the last node is gone, and the next command starts another", async () => {
    await using machine = new Machine({ PORTWAY_IDLE_EXIT_MS: "200" });
    await machine.run("node create n1");
    const first = await machine.pid();
    await machine.run("node delete --all");
    await until("the idle daemon has ended", () => !isAlive(first));
    assert.equal(await machine.run("node create n2"), "n2");
    assert.notEqual(await machine.pid(), first);
  });

  test("that ends while a command comes is followed by another one", async () => {
    await using machine = new Machine({ PORTWAY_IDLE_EXIT_MS: "1" });
    for (let round = 0; round < 10; round += 1) assert.equal(await machine.run("node list"), "[]");
  });

  test("is not started by --no-start, status and help", async () => {
    await using machine = new Machine();
    const { code, stderr } = await machine.cli("node list --no-start");
    assert.equal(code, 69);
    assert.match(stderr, /^error: no daemon answers at .*api\.sock\nhint: /);
    assert.equal(JSON.parse(await machine.run("status")).running, false);
    await machine.run("node create --help");
    assert.ok(!existsSync(machine.home.path));
  });

  test("of a home that can't be says why", async () => {
    await using machine = new Machine();
    const home = join(machine.folder, "x".repeat(110));
    const { code, stderr } = await machine.cli("node list", { environment: { PORTWAY_HOME: home } });
    assert.equal(code, 64);
    assert.match(stderr, /^error: PORTWAY_HOME is too long: .*\n$/);
  });

  test("is started in a volume with other things in it, where nothing else can be written", async () => {
    await using machine = new Machine();
    const home = join(machine.folder, "volume");
    mkdirSync(join(home, "lost+found"), { recursive: true, mode: 0o700 });
    const environment = { PORTWAY_HOME: home, TMPDIR: "/nowhere" };
    const { stdout, stderr } = await machine.cli("node create n1", { environment });
    const there = readdirSync(home).sort();
    await machine.cli("reset -y", { environment });
    assert.equal(stdout, "n1", stderr);
    assert.deepEqual(there, ["logs", "lost+found", "run", "token"]);
  });

  test("that can't have its address of the API is not waited for", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    try {
      const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
      await using machine = new Machine({ PORTWAY_API_ADDRESS: address });
      const { code, stderr } = await machine.cli("node list");
      assert.equal(code, 69);
      assert.match(stderr, /the daemon could not be started \(exit code 73\)/);
      assert.ok(stderr.includes(`the API can't listen on ${address}: another program does`), stderr);
    } finally {
      taken.close();
    }
  });

  test("that runs in the foreground is used, and stays when the last node is gone", async () => {
    await using machine = await Machine.serving();
    const pid = await machine.pid();
    await machine.run("node create n1");
    await machine.run("node delete --all");
    assert.equal(JSON.parse(await machine.run("status")).pid, pid);
    assert.match(await machine.run("reset -y"), /stopped the daemon/);
    assert.equal(await machine.ended(), 0);
    assert.ok(!existsSync(machine.home.path));
  });

  test("is stopped by reset although it does not answer", async () => {
    await using machine = new Machine();
    await machine.run("node create n1");
    const pid = await machine.pid();
    process.kill(pid, "SIGSTOP");
    const { code, stderr } = await machine.cli("reset -y");
    assert.equal(code, 0, stderr);
    assert.ok(!isAlive(pid));
    assert.ok(!existsSync(machine.home.path));
  });
});

async function endOf(child: ChildProcess): Promise<{ code: number; stderr: string }> {
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, "close");
  return { code, stderr: withoutWaits(stderr) };
}

/** What a command says beside what it waits for, which it does on a busy machine. */
function withoutWaits(stderr: string): string {
  return stderr.replaceAll(/^Waiting for [^\n]*…\n/gm, "");
}

describe("a command", () => {
  test("whose reader has gone is quiet about it", async () => {
    await using machine = new Machine();
    await machine.run("node create n1");
    const child = machine.spawn(["node", "list"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout!.destroy();
    assert.deepEqual(await endOf(child), { code: 0, stderr: "" });
  });

  for (const line of ["--version", "--help"]) {
    test(`${line} whose reader has gone is quiet about it`, async () => {
      await using machine = new Machine();
      const child = machine.spawn([line], { stdio: ["ignore", "pipe", "pipe"] });
      child.stdout!.destroy();
      assert.deepEqual(await endOf(child), { code: 0, stderr: "" });
    });
  }

  for (const line of ["--version", "--help", "status"]) {
    const skip = !existsSync("/dev/full");
    test(`${line} says that its output can't be written, and fails`, { skip }, async () => {
      await using machine = new Machine();
      const full = openSync("/dev/full", "w");
      const child = machine.spawn([line], { stdio: ["ignore", full, "pipe"] });
      closeSync(full);
      const { code, stderr } = await endOf(child);
      assert.match(stderr, /^error: standard output can't be written: ENOSPC: [^\n]*\n$/);
      assert.equal(code, 70);
    });
  }

  test("serve says so as well, and ends without a failure when it is told to", {
    skip: !existsSync("/dev/full"),
  }, async () => {
    await using machine = new Machine();
    const full = openSync("/dev/full", "w");
    const child = machine.spawn(["serve"], { stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    const ended = endOf(child);
    await until("the daemon serves", () => existsSync(machine.home.socketPath));
    child.kill("SIGTERM");
    const { code, stderr } = await ended;
    assert.match(stderr, /^error: standard output can't be written: ENOSPC: [^\n]*\n$/);
    assert.equal(code, 0);
  });

  test("reads a line of what another one printed", async () => {
    await using machine = new Machine();
    await machine.run("node create n1");
    await machine.run("node create n2");
    const relay = await machine.run("relay create --at n2 --to n1");
    const line = "message send hello --to /node/n2/-/service/uppercase";
    assert.equal(await machine.run(line, { stdin: `${relay}\n` }), "HELLO");
  });

  test("refuses a line that is too long", async () => {
    await using machine = new Machine();
    const line = "message send hello --to -";
    const { code, stderr } = await machine.cli(line, { stdin: "a".repeat(200_000) });
    assert.deepEqual(
      { code, stderr: withoutWaits(stderr) },
      { code: 64, stderr: "error: a line of standard input has more than 65536 bytes\n" },
    );
  });

  for (const [name, flags] of [
    ["SIGINT", ["-f"]],
    ["SIGTERM", ["-f"]],
    ["SIGTERM", ["-f", "-e"]],
  ] as const) {
    test(`in the foreground deletes its node at ${name}, ${flags.join(" ")}`, async () => {
      await using machine = new Machine();
      const child = machine.spawn(["node", "create", "n1", ...flags], { stdio: ["pipe", "pipe", "inherit"] });
      await once(child.stdout!, "data");
      child.kill(name);
      const [code] = await once(child, "exit");
      assert.equal(code, 0);
      assert.equal(await machine.run("node list"), "[]");
    });
  }

  test("in the foreground deletes its node at the end of standard input, if asked to", async () => {
    await using machine = new Machine();
    const child = machine.spawn(["node", "create", "n1", "-f", "-e"], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child.stdout!, "data");
    child.stdin!.write("not the end\n");
    assert.match(await machine.run("node list"), /"node_name": "n1"/);
    child.stdin!.end();
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
    assert.equal(await machine.run("node list"), "[]");
  });

  test("in the foreground ends when its daemon is gone", async () => {
    await using machine = new Machine();
    const child = machine.spawn(["node", "create", "n1", "-f"], { stdio: ["pipe", "pipe", "pipe"] });
    await once(child.stdout!, "data");
    let stderr = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    await machine.kill9();
    const [code] = await once(child, "close");
    assert.equal(code, 70);
    assert.match(stderr, /the node n1 ended with its daemon/);
  });
});

describe("on a pseudo-terminal", { skip: !hasTerminal && "there is no python3 to make one with" }, () => {
  test("texts are for people, prompts are answered, and waits are shown and wiped away", async () => {
    await using machine = new Machine();
    const portway = (line: string, steps: readonly (readonly [string, string])[] = []) =>
      onTerminal([process.execPath, mainPath, ...line.split(" ")], machine.environment, steps);
    await machine.run("node create n2");
    await machine.run("node create n3");

    const relay = await portway("relay create n3 --at /node/n2 --to /node/n3");
    assert.match(
      relay.screen,
      /Now relaying messages from \/node\/n2\/service\/forward_to_n3 → \/node\/n3\/service\/[0-9a-f]{32}\n$/,
    );

    const address = JSON.parse(await machine.run("node show n2 --output json")).transports[0].socket_addr;
    const connection = await portway(`tcp-connection create --from n3 --to ${address}`);
    assert.match(connection.screen, /\/worker\/[0-9a-f]{32}\n$/);

    const slow = await portway(
      "relay create r --at /dnsaddr/127.0.0.1/tcp/9 --to n3 --connection-wait 1500ms",
    );
    assert.equal(slow.code, 0);
    // A timer may be early by a part of a millisecond: the first frame may still say 0 s.
    assert.match(slow.screen, /⠋ Waiting for the relay r at \/dnsaddr\/127\.0\.0\.1\/tcp\/9… [01] s/);
    assert.ok(slow.screen.includes("\r\u001b[2K! the relay r of the node n3 is not up: "), slow.screen);

    const shown = await portway("node show", [["Which node?", "2\n"]]);
    assert.match(shown.screen, /1\) n2\n {2}2\) n3\n.*\nn3\n {2}Status {8}running/s);

    const kept = await portway("node delete --all", [["[y/N]", "n\n"]]);
    assert.equal(kept.code, 130);
    const deleted = await portway("node delete --all", [["Delete the nodes n3 and n2? [y/N]", "y\n"]]);
    assert.equal(deleted.code, 0);
    assert.equal(await machine.run("node list"), "[]");
  });

  test("colours are used unless they are not wanted", async () => {
    await using machine = new Machine();
    const { NO_COLOR: _, ...coloured } = machine.environment;
    const command = [process.execPath, mainPath, "node", "create"];
    assert.ok((await onTerminal([...command, "n1"], coloured)).screen.includes("\u001b[32m"));
    for (const value of ["1", "true", "0"]) {
      const { screen } = await onTerminal([...command, `n${value}x`], { ...coloured, NO_COLOR: value });
      assert.ok(!screen.includes("\u001b["), screen);
    }
  });

  test("Ctrl-C in the foreground deletes the node", async () => {
    await using machine = new Machine();
    const command = [process.execPath, mainPath, "node", "create", "n1", "-f"];
    const { code, screen } = await onTerminal(command, machine.environment, [
      ["is deleted at Ctrl-C", "\u0003"],
    ]);
    assert.equal(code, 0, screen);
    assert.equal(await machine.run("node list"), "[]");
  });
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
