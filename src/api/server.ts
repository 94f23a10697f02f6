import type { AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";
import type { DescService } from "@bufbuild/protobuf";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { MessageService } from "../../gen/portway/v1/message_service_pb.js";
import { NodeService } from "../../gen/portway/v1/node_service_pb.js";
import { PortalService } from "../../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../../gen/portway/v1/relay_service_pb.js";
import { SystemService } from "../../gen/portway/v1/system_service_pb.js";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { formatSocketAddress, isLoopback } from "../model/socket-address.js";
import type { Engine } from "../node/engine.js";
import type { Activity } from "./activity.js";
import { type AdmissionOptions, admit, checkSource } from "./admission.js";
import { type Authorizer, allowAuthenticated, type Principal } from "./authorizer.js";
import { Connections } from "./connections.js";
import { Docs, packagedDocs } from "./docs.js";
import { fault } from "./errors.js";
import { headerBytes, pathOf } from "./exchange.js";
import { hostCheck } from "./host.js";
import { Answers } from "./idempotency.js";
import { authorizeCalls, observeCalls, rememberAnswers } from "./interceptors.js";
import { type ApiLimits, resolveApiLimits } from "./limits.js";
import { createListener, type Listener, type RequestHandler, trust } from "./listener.js";
import { createPager } from "./lists/paging.js";
import { refuse } from "./refusal.js";
import { createRpcHandler, type ServedService } from "./rpc-handler.js";
import { healthService } from "./services/health-service.js";
import { messageService } from "./services/message-service.js";
import { nodeService } from "./services/node-service.js";
import { portalService } from "./services/portal-service.js";
import { reflectionServices } from "./services/reflection-service.js";
import { relayService } from "./services/relay-service.js";
import { systemService } from "./services/system-service.js";
import { Streams } from "./streams.js";
import type { System } from "./system.js";
import { listenTcp } from "./tcp-socket.js";
import { readTls, type TlsFiles } from "./tls-files.js";
import type { Tokens } from "./token.js";
import { listenUnix } from "./unix-socket.js";
import { createValidation, validateRequests } from "./validation.js";

export interface ApiServerOptions {
  readonly engine: Engine;
  readonly log: Log;
  readonly system: System;
  readonly tokens: Tokens;
  /** Asked once for each call; by default whoever was authenticated may do everything. */
  readonly authorizer?: Authorizer;
  readonly limits?: ApiLimits;
  /** Names of this machine that a request may give as its host, besides those that follow from the listener. */
  readonly allowedHosts?: readonly string[];
  /** Origins of pages that may use the API, `https://example.com`; by default none. */
  readonly allowedOrigins?: readonly string[];
  /** Who wants to know whether the API is in use. */
  readonly activity?: Activity;
  /** Where the pages of the documentation are; by default those of this package. */
  readonly docsDirectory?: string;
}

export interface TcpListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls?: TlsFiles;
}

/** The control API of a daemon, on any number of addresses. */
export interface ApiServer extends AsyncDisposable {
  /** See `listenUnix` in unix-socket.ts for what it insists on. */
  listenUnix(path: string): Promise<void>;
  /**
   * Gives the address as bound, `ip:port`. Throws `insecure` for a host that is not loopback without TLS, and
   * `address_in_use`, `address_not_available`, `port_privileged`, `bad_argument` (files that are no key or certificate).
   */
  listenTcp(options: TcpListenOptions): Promise<string>;
  /**
   * Accepts nothing new, ends streams at once (UNAVAILABLE, DRAINING), lets other calls finish for up to `graceMs`, ends
   * the rest in the same way. Calling it again waits too.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

const defaultGraceMs = 2000;

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { engine, log, system, tokens, authorizer = allowAuthenticated } = options;
  const limits = resolveApiLimits(options.limits);
  const docs = new Docs(options.docsDirectory ?? packagedDocs, log);
  const streams = new Streams(limits.maxOpenStreams);
  const answers = new Answers({ capacity: limits.maxRememberedAnswers });
  const context = { engine, pager: createPager() };
  const services: readonly DescService[] = [
    NodeService,
    RelayService,
    PortalService,
    MessageService,
    SystemService,
    Health,
    ServerReflection,
    ServerReflectionAlpha,
  ];
  const health = healthService({
    services: services.map(({ typeName }) => typeName),
    drainSignal: system.drainSignal,
  });
  const reflection = reflectionServices(services);
  const requests = services.flatMap(({ methods }) => methods.map(({ input }) => input));

  const remembering = (service: DescService, implementation: object): ServedService => ({
    service,
    implementation: rememberAnswers(service, implementation, answers),
  });
  const rpc = createRpcHandler({
    limits,
    log,
    interceptors: [
      observeCalls(log, streams),
      authorizeCalls(authorizer),
      validateRequests(createValidation(requests)),
    ],
    services: [
      remembering(NodeService, nodeService(context)),
      remembering(RelayService, relayService(context)),
      remembering(PortalService, portalService(context)),
      { service: MessageService, implementation: messageService(context) },
      remembering(SystemService, systemService(context, system, tokens)),
      { service: Health, implementation: health },
      { service: ServerReflection, implementation: reflection.v1 },
      { service: ServerReflectionAlpha, implementation: reflection.v1alpha },
    ],
  });

  const connections = new Connections(limits, log);
  /** Each with its bind. */
  const listeners = new Map<Listener, Promise<void>>();
  let closing: Promise<void> | undefined;

  const mustBeOpen = (): void => {
    if (closing !== undefined) throw new PortwayError("stopped", "the API server is closed");
  };

  const callEnded = (): void => options.activity?.callEnded();

  /** Every request of every listener passes here first. */
  const letIn = (admission: AdmissionOptions): RequestHandler => {
    const take: RequestHandler = (exchange, connection) => {
      options.activity?.callBegan();
      const call = connections.begin(connection, exchange, callEnded);
      // Node takes up to 64 KiB of headers from an HTTP/2 client, whatever it announces, and looks itself over HTTP/1.1.
      if (exchange.stream !== undefined && headerBytes(exchange) > limits.maxHeaderBytes) {
        exchange.stream.respond({ ":status": 431 }, { endStream: true });
        return;
      }
      let principal: Principal;
      try {
        const { certificateError, socket } = connection;
        const arrival = {
          headers: exchange.headers,
          principal: connection.principal,
          certificateError,
          localAddress: socket.localAddress,
        };
        if (docs.isFor(exchange)) {
          checkSource(arrival, admission);
          docs.serve(exchange);
          return;
        }
        principal = admit(arrival, admission);
      } catch (error) {
        const refused = error instanceof PortwayError ? error : fault(error);
        log.info("request.refused", {
          code: refused.code,
          path: pathOf(exchange),
          remote: connection.socket.remoteAddress,
        });
        refuse(exchange, refused);
        return;
      }
      trust(connection);
      rpc(exchange, principal, () => {
        call.isOpenEnded = true;
      });
    };
    return (exchange, connection) => {
      try {
        take(exchange, connection);
      } catch (error) {
        // A fault costs the one request, never the daemon.
        log.error("request.failed", { path: pathOf(exchange), error });
        exchange.destroy();
      }
    };
  };

  const open = async (
    admission: Omit<AdmissionOptions, "tokens" | "allowedOrigins">,
    transport: { readonly principal?: Principal; readonly tls?: TlsOptions },
    bind: (listener: Listener) => Promise<void>,
  ): Promise<Listener> => {
    mustBeOpen();
    const handle = letIn({ ...admission, tokens, allowedOrigins: new Set(options.allowedOrigins) });
    const listener = createListener({ limits, connections, handle, log, ...transport });
    const bound = bind(listener);
    listeners.set(listener, bound);
    try {
      await bound;
      mustBeOpen();
    } catch (error) {
      listeners.delete(listener);
      const closed = listener.close();
      listener.endHandshakes();
      await closed;
      throw error;
    }
    listener.server.on("error", (error) => log.error("listener.failed", { error }));
    return listener;
  };

  const names = options.allowedHosts ?? [];
  return {
    async listenUnix(path) {
      const principal: Principal = { kind: "unix", name: "local" };
      await open({ isOurHost: hostCheck({ names }) }, { principal }, ({ server }) =>
        listenUnix(server, path),
      );
      log.info("api.listening", { path });
    },

    async listenTcp({ host, port, tls: files }) {
      if (files === undefined && !isLoopback(host)) {
        throw new PortwayError(
          "insecure",
          `the API does not listen on ${formatSocketAddress({ host, port })} without TLS: its token would cross the ` +
            "network in the clear; expected a loopback address, or a key and a certificate",
          { host, port },
        );
      }
      const tls = files === undefined ? undefined : await readTls(files);
      const { server } = await open(
        {
          isOurHost: hostCheck({
            names,
            boundHost: host,
            ...(tls !== undefined && { certificate: tls.certificate }),
          }),
        },
        tls === undefined ? {} : { tls: tls.options },
        (listener) => listenTcp(listener.server, host, port),
      );
      const bound = server.address() as AddressInfo;
      const address = formatSocketAddress({ host: bound.address, port: bound.port });
      log.info("api.listening", { address, tls: tls !== undefined });
      return address;
    },

    close({ graceMs = defaultGraceMs } = {}) {
      closing ??= (async () => {
        streams.endAll();
        // What is closed before it is bound is bound all the same.
        const unbound = [...listeners].map(([listener, bound]) => bound.then(listener.close, listener.close));
        await connections.close(graceMs);
        for (const listener of listeners.keys()) listener.endHandshakes();
        await Promise.all(unbound);
        connections[Symbol.dispose]();
      })();
      return closing;
    },

    [Symbol.asyncDispose]() {
      return this.close();
    },
  };
}
