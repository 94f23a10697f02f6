import { PortwayError } from "../../base/errors.js";
import { homeAt } from "../../home/home.js";
import type { Cli } from "../cli.js";
import { stopDaemon } from "../daemon-stop.js";
import { deleteHomeFiles } from "../home-files.js";

/** Of what was left there, how many are named to a person. */
const maxNamed = 10;

/** Stops the daemon of the home and deletes what Portway created there. */
export async function reset(cli: Cli, options: { readonly yes?: boolean }): Promise<void> {
  await confirm(cli, options.yes);
  const home = homeAt(cli.home);
  const client = await cli.clientOfRunning();
  const pid = await cli.notices.during(
    "Waiting for the daemon to end",
    stopDaemon(home, client, cli.requestId()),
  );
  const { deleted, kept } = deleteHomeFiles(home);
  if (kept.length > 0) {
    const why = kept.includes(home.path)
      ? "not created by Portway or not removable"
      : "not created by Portway";
    cli.notices.warn(`${why}, and left there: ${someOf(kept)}`);
  }
  const said =
    deleted.length === 0 && pid === undefined
      ? "There was nothing to delete"
      : "Deleted what Portway created";
  const daemon = pid === undefined ? "" : " and stopped the daemon";
  await cli.output.print({
    plain: (style) => `${style.green("✔")} ${said} in ${home.path}${daemon}`,
    machine: `${said} in ${home.path}${daemon}`,
    json: () => ({ deleted, home: home.path, kept, stopped_pid: pid ?? null }),
  });
}

/** A directory that never was a home may hold any number of things. */
function someOf(paths: readonly string[]): string {
  const more = paths.length - maxNamed;
  return more > 0 ? `${paths.slice(0, maxNamed).join(", ")} and ${more} more` : paths.join(", ");
}

async function confirm(cli: Cli, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (!cli.prompt.canAsk) {
    throw new PortwayError(
      "bad_argument",
      "reset deletes all nodes and the state of the daemon: confirm it with -y",
    );
  }
  if (await cli.prompt.confirm(`Stop the daemon with all its nodes and delete its state in ${cli.home}?`))
    return;
  throw new PortwayError("canceled", "nothing was deleted");
}
