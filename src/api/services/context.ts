import type { Duration } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { Engine, WaitOptions } from "../../node/engine.js";
import { toMs } from "../from-proto.js";
import type { Pager } from "../lists/paging.js";

/** What the services work on. */
export interface ServiceContext {
  readonly engine: Engine;
  readonly pager: Pager;
}

/** The wait that a create asks for, which ends with its call. */
export function waitOptions(wait: Duration | undefined, { signal }: HandlerContext): WaitOptions {
  return wait === undefined ? { signal } : { signal, waitMs: toMs(wait) };
}
