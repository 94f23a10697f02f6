import type { Duration } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { WatchEventType } from "../../../gen/portway/v1/resource_pb.js";
import { PortwayError } from "../../base/errors.js";
import type { ResourceKind } from "../../node/change-log.js";
import type { Engine, Readable } from "../../node/engine.js";
import { type WatchSource, watchChanges } from "../../node/watch.js";
import { toMs } from "../from-proto.js";
import { parseNodeName } from "../names.js";

const defaultBookmarkIntervalMs = 30_000;
const defaultFiguresIntervalMs = 1000;

/** What the requests of watches have in common. */
export interface WatchRequest {
  /** Empty for all nodes. */
  readonly parent?: string;
  readonly startRevision: string;
  readonly bookmarkInterval?: Duration | undefined;
  readonly figuresInterval?: Duration | undefined;
}

interface Held {
  readonly node: string;
  readonly id: string;
}

/** A resource of any kind that is watched, and how it is told: `P` is its part of an answer. */
export interface Watched<P> extends Held {
  toPart(): P;
  figures?(): string;
}

/** One kind of resources to watch. */
export interface WatchedKind<P> {
  readonly source: WatchSource<Watched<P>>;
  /** The part of an answer that tells of one that is gone. */
  gone(held: Held): P;
}

export interface WatchedKindOptions<R extends Held, P> {
  readonly kind: ResourceKind;
  readonly collection: Pick<Readable<R>, "get" | "list">;
  toPart(resource: R): P;
  gone(held: Held): P;
  /** See WatchSource in node/watch.ts. */
  figures?(resource: R): string;
}

/** The events that a request asks for, each turned into its answer; SYNCED and BOOKMARK have no part. */
export async function* watch<P, A>(
  engine: Engine,
  kinds: readonly WatchedKind<P>[],
  request: WatchRequest,
  { signal }: HandlerContext,
  toAnswer: (type: WatchEventType, revision: string, part: P | undefined) => A,
): AsyncGenerator<A> {
  const { parent = "", startRevision, bookmarkInterval, figuresInterval } = request;
  const sources = kinds.map(({ source }) => source);
  const events = watchChanges(engine.changes, sources, {
    node: parent === "" ? "" : parseNodeName(parent),
    startRevision,
    bookmarkIntervalMs: bookmarkInterval === undefined ? defaultBookmarkIntervalMs : toMs(bookmarkInterval),
    figuresIntervalMs: figuresInterval === undefined ? defaultFiguresIntervalMs : toMs(figuresInterval),
    signal,
  });
  for await (const event of events) {
    const { type, revision } = event;
    switch (type) {
      case "added":
        yield toAnswer(WatchEventType.ADDED, revision, event.resource.toPart());
        break;
      case "modified":
        yield toAnswer(WatchEventType.MODIFIED, revision, event.resource.toPart());
        break;
      case "deleted": {
        const kind = kinds.find(({ source }) => source.kind === event.kind)!;
        yield toAnswer(WatchEventType.DELETED, revision, kind.gone(event));
        break;
      }
      case "synced":
        yield toAnswer(WatchEventType.SYNCED, revision, undefined);
        break;
      case "bookmark":
        yield toAnswer(WatchEventType.BOOKMARK, revision, undefined);
        break;
    }
  }
}

/** The resources of one kind, of the nodes that `request` is about. */
export function watchedKind<R extends Held, P>(
  engine: Engine,
  { parent = "" }: WatchRequest,
  { kind, collection, toPart, gone, figures }: WatchedKindOptions<R, P>,
): WatchedKind<P> {
  const watched = (resource: R): Watched<P> => ({
    node: resource.node,
    id: resource.id,
    toPart: () => toPart(resource),
    ...(figures !== undefined && { figures: () => figures(resource) }),
  });
  const list = async (): Promise<Watched<P>[]> => {
    const found =
      parent === "" ? await listOfAll(engine, collection) : await collection.list(parseNodeName(parent));
    return found.map(watched);
  };
  return {
    gone,
    source: {
      kind,
      list,
      get: async (node, id) => watched(await collection.get(node, id)),
      ...(figures !== undefined && { figures: (resource: Watched<P>) => resource.figures?.() ?? "" }),
    },
  };
}

async function listOfAll<R>(engine: Engine, collection: Pick<Readable<R>, "list">): Promise<R[]> {
  const lists: R[] = [];
  for (const { id } of await engine.nodes.list()) {
    try {
      lists.push(...(await collection.list(id)));
    } catch (error) {
      // It went while the others were asked.
      if (!(error instanceof PortwayError && error.code === "node_not_found")) throw error;
    }
  }
  return lists;
}
