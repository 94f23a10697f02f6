// A program that is three nodes, without a daemon: one that can be dialed, one that can only dial out, and a caller that
// reaches the second through the first. On three machines these would be three programs.
import http from "node:http";
import { createNode } from "portway/node";

/** The MultiAddr of a node by its `ip:port`. */
const toNode = (address) => `/ip4/${address.replace(":", "/tcp/")}`;

// The relay: other nodes can connect to it.
const hub = await createNode({ name: "hub", listen: "127.0.0.1:0" });

// The private machine: it listens nowhere. A function of this program is a worker on it.
const inside = await createNode({ name: "inside" });
inside.worker("greeter", ({ text }) => `Hello, ${text}!`);
inside.hop();
const relay = await inside.relay({ at: toNode(hub.address), name: "inside" });

// The caller.
const caller = await createNode({ name: "caller" });
const connection = await caller.connect(hub.address);
const toInside = `${connection.route}/service/${relay.address}`;

const reply = await caller.send(`${toInside}/service/greeter`, "world");
console.log(`the worker said: ${reply.text}`);

// A web server of the private machine, reached through a port of the caller's.
const server = http.createServer((_request, response) => response.end("the page of the private machine"));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
inside.outlet({ to: `127.0.0.1:${server.address().port}` });
const inlet = await caller.inlet({ to: `${toInside}/service/hop/service/outlet` });
const page = await fetch(`http://${inlet.address}/`, { headers: { connection: "close" } });
console.log(`through the portal: ${await page.text()}`);

// With TypeScript, or from Node.js 24 on, `await using hub = await createNode(…)` closes by itself.
for (const node of [caller, inside, hub]) await node.close();
server.close();
