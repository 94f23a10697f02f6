import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import * as pb from "../../../gen/portway/v1/system_service_pb.js";
import { toMs } from "../from-proto.js";
import type { System } from "../system.js";
import { toTimestamp } from "../to-proto.js";
import type { Tokens } from "../token.js";
import type { ServiceContext } from "./context.js";

const defaultDrainTimeoutMs = 10_000;

export function systemService(
  { engine }: ServiceContext,
  system: System,
  tokens: Tokens,
): ServiceImpl<typeof pb.SystemService> {
  return {
    getServerInfo() {
      const { startTimeMs, apiAddresses, warnings, ...info } = system.info();
      return create(pb.GetServerInfoResponseSchema, {
        ...info,
        startTime: toTimestamp(startTimeMs),
        apiAddresses: [...apiAddresses],
        warnings: [...warnings],
        apiVersions: ["portway.v1"],
        epoch: engine.changes.epoch,
        revision: engine.changes.revision,
        runtime: process.version,
        capabilities: [],
      });
    },
    async drain({ timeout }) {
      await system.drain(timeout === undefined ? defaultDrainTimeoutMs : toMs(timeout));
      return create(pb.DrainResponseSchema);
    },
    async rotateToken() {
      await tokens.rotate();
      return create(pb.RotateTokenResponseSchema, { tokenPath: tokens.path });
    },
  };
}
