/** The exit codes of the CLI: numbers of sysexits.h, as `ockam` uses them. */
export const exitCodes = {
  success: 0,
  /** Something is wrong with the command line: it would be wrong at any other time as well. */
  usage: 64,
  /** No daemon answers and none could be started, or it is draining. */
  unavailable: 69,
  /** What was asked could not be done: not found, conflict, no reply, a fault. */
  failure: 70,
  /** The daemon does not let us. */
  noPermission: 77,
  /** A person said no, or pressed Ctrl-C. */
  interrupted: 130,
} as const;

const byReason: Readonly<Record<string, number>> = {
  BAD_ADDRESS: exitCodes.usage,
  BAD_ROUTE: exitCodes.usage,
  BAD_SOCKET_ADDRESS: exitCodes.usage,
  BAD_ARGUMENT: exitCodes.usage,
  UNSUPPORTED: exitCodes.usage,
  DAEMON_UNREACHABLE: exitCodes.unavailable,
  DRAINING: exitCodes.unavailable,
  UNAUTHENTICATED: exitCodes.noPermission,
  PERMISSION_DENIED: exitCodes.noPermission,
  CANCELED: exitCodes.interrupted,
};

/** By the reason of an ErrorInfo; whatever is not listed is a failure. */
export function exitCodeOfReason(reason: string): number {
  return byReason[reason] ?? exitCodes.failure;
}
