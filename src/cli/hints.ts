/** What a person can do about a failure, by its reason. */
const hints: Readonly<Record<string, string>> = {
  NODE_NOT_FOUND: "`portway node list` shows the nodes, `portway node create NAME` makes one",
  NODE_EXISTS: "`portway node delete NAME` removes it, `portway node show NAME` tells how it is set up",
  NODE_STOPPED: "`portway node start NAME` starts it again",
  TCP_LISTENER_NOT_FOUND: "`portway tcp-listener list --at NODE` shows the listeners",
  TCP_CONNECTION_NOT_FOUND: "`portway tcp-connection list --at NODE` shows the connections",
  UDP_LISTENER_NOT_FOUND: "`portway udp-listener list --at NODE` shows the listeners",
  UDP_CONNECTION_NOT_FOUND: "`portway udp-connection list --at NODE` shows the connections",
  UNRELIABLE_ROUTE: "lead the portal over TCP: UDP carries messages, not streams",
  SERVICE_NOT_FOUND: "`portway service list --at NODE` shows the services",
  WORKER_NOT_FOUND:
    "`portway worker list --at NODE` shows the addresses of a node; `portway message send` begins there with --from NODE",
  RELAY_NOT_FOUND: "`portway relay list --to NODE` shows the relays",
  RELAY_REGISTRATION_NOT_FOUND:
    "`portway relay list --hosted --to NODE` shows the relays that the node hosts",
  INLET_NOT_FOUND: "`portway tcp-inlet list --at NODE` shows the inlets",
  OUTLET_NOT_FOUND: "`portway tcp-outlet list --at NODE` shows the outlets",
  ADDRESS_IN_USE: "choose another port, or port 0 for a free one",
  PORT_PRIVILEGED: "choose a port from 1024 on, or let the daemon run with the right to bind it",
  NO_REPLY: "routing reports no failures back: check each worker of the route with `portway worker list`",
  CONNECT_FAILED: "is there a node that listens at that address, and can this machine reach it?",
  DAEMON_UNREACHABLE: "`portway serve` runs a daemon in the foreground and shows what is wrong",
  UNAUTHENTICATED: "the API token is in the file `token` of PORTWAY_HOME",
};

export function hintFor(reason: string): string | undefined {
  return hints[reason];
}
