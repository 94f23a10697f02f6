import net from "node:net";

/**
 * The yardstick: what anyone writes in Node to forward a port. `node pipe-proxy.js LISTEN_PORT TARGET_PORT`, both on
 * 127.0.0.1; says {"port":N}.
 */
const [listenPort = 0, targetPort = 0] = process.argv.slice(2).map(Number);

const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (a) => {
  const b = net.connect({ host: "127.0.0.1", port: targetPort, noDelay: true, allowHalfOpen: true });
  a.pipe(b);
  b.pipe(a);
  a.on("error", () => b.destroy());
  b.on("error", () => a.destroy());
});
server.listen({ host: "127.0.0.1", port: listenPort, backlog: 4096 }, () => {
  console.log(JSON.stringify({ port: (server.address() as net.AddressInfo).port }));
});
