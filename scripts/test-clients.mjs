// Builds the examples whose toolchain is here, with the commands of their README files, and runs them against one
// daemon: each does the tutorial, each sends a message over UDP and TCP, and each is a worker that all of them call through a relay. What could not be run is
// named and counted. `node scripts/test-clients.mjs go rust` takes those alone.
import http from "node:http";
import { startDaemon } from "./clients/daemon.mjs";
import { build, cache, examples, missingTool, prepare } from "./clients/examples.mjs";
import { run, start, within } from "./clients/programs.mjs";

const programLimitMs = 90_000;
const openLimitMs = 30_000;
const freeLimitMs = 10_000;
const allLimitMs = 60 * 60_000;
const page = "Hello from the target.";
const counts = { passed: 0, failed: 0, skipped: 0 };

function passed(what) {
  counts.passed += 1;
  console.log(`  ✔ ${what}`);
}

function failed(what, why) {
  counts.failed += 1;
  console.log(`  ✗ ${what}\n${why.trim().replace(/^/gm, "      ")}`);
}

function skipped(what, why) {
  counts.skipped += 1;
  console.log(`  ⊘ ${what}: skipped, ${why}`);
}

async function check(what, body) {
  try {
    await body();
    passed(what);
  } catch (error) {
    failed(what, error.message);
  }
}

function expect(holds, why) {
  if (!holds) throw new Error(why);
}

/** The examples that are built. */
async function buildAll(wanted) {
  const built = [];
  for (const example of wanted) {
    const tool = missingTool(example);
    if (tool !== undefined) {
      skipped(example.name, `its toolchain is not here: ${tool}`);
      continue;
    }
    const from = performance.now();
    try {
      const prepared = prepare(example);
      const { code, text } = await build(prepared);
      const seconds = Math.round((performance.now() - from) / 1000);
      if (code === 0) {
        built.push({ ...example, ...prepared });
        passed(`${example.name} is built (${seconds} s)`);
      } else if (example.missing?.test(text)) skipped(example.name, example.missing.exec(text)[0]);
      else failed(`${example.name} is built`, `${text}\nits build ended with ${code}`);
    } catch (error) {
      failed(`${example.name} is built`, error.message);
    }
  }
  return built;
}

async function testAll(built, { call, environment }, target) {
  const runTutorial = ({ folder, tutorial }, flags = "", changes = {}) =>
    run(`${tutorial} ${flags} ${target}`, {
      folder,
      environment: { ...environment, ...changes },
      limitMs: programLimitMs,
    });
  const nodeNames = async () =>
    ((await call("NodeService/ListNodes", {})).nodes ?? []).map(({ name }) => name);
  const workerNames = async () => {
    const { workers } = await call("NodeService/ListWorkers", { parent: "nodes/n3", pageSize: 1000 });
    return workers.map(({ name }) => name);
  };
  const didTutorial = ({ code, stdout, text }) => {
    expect(code === 0, `it ended with ${code}: ${text}`);
    expect(stdout.trim() === `HELLO\n200 ${page}`, `it printed:\n${text}`);
  };

  console.log("\nThe tutorial");
  for (const example of built) {
    await check(`${example.name} does the tutorial and leaves nothing behind`, async () => {
      didTutorial(await runTutorial(example));
      const left = await nodeNames();
      expect(left.length === 0, `it left ${left.join(", ")}`);
    });
    await check(`${example.name} says what a wrong token is answered with`, async () => {
      const { code, stderr } = await runTutorial(example, "", { PORTWAY_TOKEN: "wrong" });
      expect(code === 1, `it ended with ${code}: ${stderr}`);
      expect(/\(UNAUTHENTICATED\): the token is not/.test(stderr), `it said: ${stderr}`);
    });
  }

  console.log("\nA route over UDP and TCP");
  const bridge = await makeBridge(call);
  try {
    for (const { name, folder, send } of built) {
      const sent = (node, route) =>
        run(`${send} ${node} ${route} hello`, { folder, environment, limitMs: programLimitMs });
      await check(`${name} sends a message along it and gets the answer`, async () => {
        const { code, stdout, text } = await sent("n1", bridge.route);
        expect(code === 0 && stdout.trim() === "HELLO", `it ended with ${code}: ${text}`);
      });
      await check(`${name} says that there is no such node`, async () => {
        const { code, stderr } = await sent("n9", bridge.route);
        expect(code === 1, `it ended with ${code}: ${stderr}`);
        expect(/NOT_FOUND/.test(stderr) && /n9/.test(stderr), `it said: ${stderr}`);
      });
    }
  } finally {
    await bridge.remove();
  }

  console.log("\nWorkers, called through a relay");
  await call("NodeService/CreateNode", { nodeId: "n3" });
  const workers = [];
  try {
    for (const { name, folder, worker } of built) {
      await check(`${name} is a worker of n3`, async () => {
        const address = `shout_${name.toLowerCase()}`;
        const line = `exec ${worker} n3 ${address}`;
        const program = start(line, { folder, environment, limitMs: allLimitMs });
        workers.push({ name, address, program });
        await within(openLimitMs, program.said(/ is open$/m), "opening it");
      });
    }
    for (const { name, address } of workers) {
      await check(
        `a worker in ${name} goes on granting, and a message that is too large for its grants`,
        async () => {
          const send = async (text) => {
            const { payload } = await call("MessageService/SendMessage", {
              node: "nodes/n3",
              to: `/service/${address}`,
              payload: Buffer.from(text).toString("base64"),
              encoding: "PAYLOAD_ENCODING_BARE",
            });
            const answer = Buffer.from(payload, "base64").toString();
            expect(
              answer === text.toUpperCase(),
              `${text.length} letters came back as ${answer.length} others`,
            );
          };
          await Promise.all(Array.from({ length: 200 }, (_, index) => send(`message ${index} äöü`)));
          await send("large".repeat(600_000));
          await send("small");
        },
      );
      for (const caller of built) {
        await check(`a worker in ${name} answers a program in ${caller.name}`, async () =>
          didTutorial(await runTutorial(caller, `--service ${address}`)),
        );
      }
    }
    for (const { name, address, program } of workers) {
      await check(`the address of the worker in ${name} is free once the program has ended`, async () => {
        await program.end();
        const isThere = async () => (await workerNames()).includes(`nodes/n3/workers/${address}`);
        const endMs = performance.now() + freeLimitMs;
        while (await isThere()) expect(performance.now() < endMs, `still there after ${freeLimitMs} ms`);
      });
    }
  } finally {
    for (const { program } of workers) await program.end();
  }
}

/** n1 reaches n2 over UDP, and n2 reaches n3 over TCP: the route from n1 to a service of n3. */
async function makeBridge(call) {
  const node = async (nodeId) => (await call("NodeService/CreateNode", { nodeId })).node;
  const remove = async () => {
    const { nodes = [] } = await call("NodeService/ListNodes", {});
    for (const { name } of nodes) await call("NodeService/DeleteNode", { name });
  };
  try {
    const [n1, n2, n3] = [await node("n1"), await node("n2"), await node("n3")];
    // Before the connections: an answer comes back through the hops that were there when they were made.
    await call("NodeService/CreateService", { parent: n2.name, service: { kind: "SERVICE_KIND_HOP" } });
    const peerAddress = n3.status.tcpListenerAddress;
    const onward = { parent: n2.name, tcpConnection: { peerAddress }, wait: "10s" };
    const { tcpConnection } = await call("NodeService/CreateTcpConnection", onward);
    const bindAddress = "127.0.0.1:0";
    const listening = { parent: n2.name, udpListener: { bindAddress } };
    const { udpListener } = await call("NodeService/CreateUdpListener", listening);
    const udp = { peerAddress: udpListener.status.boundAddress };
    const dialed = { parent: n1.name, udpConnection: udp, wait: "10s" };
    const { udpConnection } = await call("NodeService/CreateUdpConnection", dialed);
    const [first, second] = [udpConnection, tcpConnection].map(({ status }) => status.workerAddress);
    return { route: `/worker/${first}/service/hop/worker/${second}/service/uppercase`, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function listen(server) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(`127.0.0.1:${server.address().port}`));
  });
}

const names = process.argv.slice(2).map((name) => name.toLowerCase());
const unknown = names.filter((name) => !examples.some(({ folder }) => folder === name));
if (unknown.length > 0) {
  const known = examples.map(({ folder }) => folder).join(", ");
  console.error(`there is no example in ${unknown.join(", ")}: expected one of ${known}`);
  process.exit(64);
}
const wanted = examples.filter(({ folder }) => names.length === 0 || names.includes(folder));
console.log(`Builds, in ${cache}`);
const built = await buildAll(wanted);
if (built.length > 0) {
  const web = http.createServer((_request, response) => response.end(`${page}\n`));
  const target = await listen(web);
  const daemon = await startDaemon(allLimitMs);
  try {
    await testAll(built, daemon, target);
  } catch (error) {
    failed("the run", error.message);
  } finally {
    await daemon.close();
    web.closeAllConnections();
    web.close();
  }
}
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
