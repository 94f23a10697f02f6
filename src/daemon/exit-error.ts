/** The exit codes of the daemon: those of sysexits.h, for systemd's RestartPreventExitStatus and the like. */
export const exitCodes = {
  /** Drained and stopped as asked. */
  stopped: 0,
  /** A flag is wrong. */
  usage: 64,
  /** Another daemon has the home, or the home was removed from under this one. */
  unavailable: 69,
  /** A fault of ours. */
  internal: 70,
  /** Something that the daemon needs could not be made: the home, a socket. */
  cannotCreate: 73,
  /** An environment variable, a file or a directory is not as it must be. */
  configuration: 78,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Why the daemon does not start, for a person, and the exit code for programs. */
export class ExitError extends Error {
  override name = "ExitError";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
