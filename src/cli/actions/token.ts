import type { Cli } from "../cli.js";

/** Replaces the token of the API's TCP addresses. */
export async function rotate(cli: Cli): Promise<void> {
  const { system } = await cli.client();
  const { tokenPath } = await system.rotateToken({ requestId: cli.requestId() }, cli.call());
  await cli.output.print({
    plain: (style) => `${style.green("✔")} The new API token is in ${style.cyan(tokenPath)}`,
    machine: tokenPath,
    json: () => ({ token_path: tokenPath }),
  });
}
