// A message to a service along any route, and its answer.
import { createClient } from "@connectrpc/connect";
import { MessageService, PayloadEncoding } from "../gen/portway/v1/message_service_pb.js";
import { connect, explain } from "./api.js";

const timeoutMs = 30_000;

async function send(node: string, to: string, text: string): Promise<string> {
  const { payload } = await createClient(MessageService, await connect()).sendMessage(
    {
      node: `nodes/${node}`,
      to,
      payload: new TextEncoder().encode(text),
      encoding: PayloadEncoding.BARE,
    },
    { timeoutMs },
  );
  return new TextDecoder().decode(payload);
}

const [node, route, text, ...rest] = process.argv.slice(2);
if (node === undefined || route === undefined || text === undefined || rest.length > 0) {
  console.error("usage: send NODE ROUTE TEXT (send n1 /service/uppercase hello)");
  process.exit(2);
}
try {
  console.log(await send(node, route, text));
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
