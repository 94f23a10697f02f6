import { silentLog } from "../../src/base/log.js";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { defaultAccessPolicy } from "../../src/routing/access-policy.js";
import type { Arrival } from "../../src/routing/arrival.js";
import type { Router, RouterOptions } from "../../src/routing/router.js";
import { createHop } from "../../src/services/hop.js";

/**
 * Routes messages inside of one node as fast as it can: in from a connection, through a hop, to a worker. `node
 * tap-load.js ROUTER_FILE COUNT`; says {"perSecond":N} of the second half.
 */
const [routerFile = "", count = "0"] = process.argv.slice(2);
const module = (await import(routerFile)) as { readonly Router: new (options: RouterOptions) => Router };

const router = new module.Router({ policy: defaultAccessPolicy, log: silentLog });
const hop = Address.local("hop");
const sink = Address.random();
let handled = 0;
function countOne(): undefined {
  handled += 1;
}
router.register(hop, createHop(router, hop), { kind: "service", service: "hop" });
router.register(sink, { handle: countOne }, { kind: "program" });

const arrival: Arrival = {
  address: Address.random(),
  by: "node_listener",
  peer: "",
  hops: new Set([hop.key]),
  joined: new Set(),
  onLost: () => ({ [Symbol.dispose]() {} }),
};
const message = Message.of({
  onward: Route.of(hop, sink),
  return: Route.of(Address.random()),
  payload: Buffer.alloc(64),
  entrance: arrival,
});

function route(messages: number): void {
  for (let i = 0; i < messages; i += 1) router.receive(message, arrival);
}

const total = Number(count);
route(total);
const started = performance.now();
route(total);
const seconds = (performance.now() - started) / 1000;
if (handled !== total * 2) throw new Error(`${handled} of ${total * 2} messages arrived`);
console.log(JSON.stringify({ perSecond: total / seconds }));
