import { PayloadEncoding } from "../../../gen/portway/v1/message_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { missingArgument, naming, timeoutArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import { durationMs, formatDuration, protoDuration } from "../duration.js";
import { parseNodeId } from "../names.js";
import { type RetryOptions, withRetries } from "../retry.js";
import { resolveRoute } from "../route-argument.js";

const defaultTimeoutMs = 10_000;
const maxTimeoutMs = 600_000;
const maxPayloadBytes = 4 * 1024 * 1024;
/** What the daemon may take beside the wait for the reply. */
const slackMs = 5000;

interface SendOptions extends RetryOptions {
  readonly from?: string;
  readonly to?: string;
  readonly timeout?: string;
  readonly hex?: boolean;
}

export async function send(cli: Cli, options: SendOptions, text = ""): Promise<void> {
  if (options.to === undefined) throw missingArgument("--to", "the route of the message");
  const payload = payloadOf(text, options.hex ?? false);
  const { from } = options;
  const node = from === undefined ? "" : `nodes/${naming("--from", () => parseNodeId(from))}`;
  const timeoutMs =
    options.timeout === undefined
      ? defaultTimeoutMs
      : timeoutArgument("--timeout", options.timeout, maxTimeoutMs);
  const to = await resolveRoute(cli, "--to", options.to);
  const { messages } = await cli.client();
  const reply = await withRetries(cli, options, () => {
    const sending = messages.sendMessage(
      { node, to, payload, encoding: PayloadEncoding.BARE, timeout: protoDuration(timeoutMs) },
      { timeoutMs: timeoutMs + slackMs },
    );
    return cli.notices.during(`Waiting for the reply from ${to}`, sending);
  });
  const said = options.hex ? Buffer.from(reply.payload).toString("hex") : utf8(reply.payload);
  const roundTripMs = reply.roundTripTime === undefined ? null : durationMs(reply.roundTripTime);
  if (roundTripMs !== null) cli.notices.trace(1, `round trip ${formatDuration(roundTripMs)}`);
  await cli.output.print({
    plain: () => printable(said),
    machine: said,
    json: () => ({ reply: said, return_route: reply.returnRoute, round_trip_ms: roundTripMs }),
  });
}

function payloadOf(text: string, hex: boolean): Uint8Array {
  if (hex && !/^([0-9a-f]{2})*$/i.test(text)) {
    throw new PortwayError(
      "bad_argument",
      `MESSAGE: with --hex expected pairs of hexadecimal digits, got "${text}"`,
    );
  }
  const payload = Buffer.from(text, hex ? "hex" : "utf8");
  if (payload.length <= maxPayloadBytes) return payload;
  throw new PortwayError("bad_argument", `MESSAGE: at most ${maxPayloadBytes} bytes can be sent`);
}

function utf8(payload: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    throw new PortwayError(
      "bad_reply",
      `the reply of ${payload.length} bytes is not UTF-8: with --hex the message and the reply are hexadecimal`,
    );
  }
}

/** A reply comes from anywhere: on a terminal its control characters are shown, not obeyed. */
function printable(text: string): string {
  return text.replace(
    /[^\P{Cc}\n\t]/gu,
    (character) => `\\x${character.codePointAt(0)!.toString(16).padStart(2, "0")}`,
  );
}
