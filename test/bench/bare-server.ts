import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { GetNodeResponseSchema, NodeService } from "../../gen/portway/v1/node_service_pb.js";

/**
 * The yardstick for the API: connect-node and one method that answers what it holds. `node bare-server.js SOCKET
 * RESPONSE_FILE`; says {"port":0} when it is up.
 */
const [socketPath = "", responseFile = ""] = process.argv.slice(2);
const response = fromBinary(GetNodeResponseSchema, readFileSync(responseFile));

const handler = connectNodeAdapter({
  routes: (router) => router.service(NodeService, { getNode: () => response }),
});
http2.createServer(handler).listen(socketPath, () => console.log(JSON.stringify({ port: 0 })));
