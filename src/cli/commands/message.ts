import type { CliCommand, Describing } from "../command.js";
import { withRetryFlags } from "./shared.js";

export function describeMessage(message: CliCommand, describing: Describing): void {
  withRetryFlags(message.verb("send <MESSAGE>", "Send a message along a route and print the reply"))
    .flag("-f, --from <NODE>", "the node that sends", {
      shownDefault: "one that exists for this message alone",
    })
    .flag("-t, --to <ROUTE>", "the route; a segment - is a line of standard input")
    .flag("--timeout <DURATION>", "how long to wait for the reply", { shownDefault: "10s" })
    .flag("--hex", "the message and the reply are bytes in hexadecimal")
    .refuse(
      "identity",
      "project",
      "projectName",
      "authorityIdentity",
      "authorityRoute",
      "credentialScope",
      "credential",
    )
    .remarks(
      `The message travels as a BARE byte string, its length and then its bytes, and so must the reply.
Routing reports no failures back: an address that does not exist looks like one that does not answer.`,
    )
    .does(describing, async () => (await import("../actions/message.js")).send)
    .examples(
      "portway message send hello --to /node/n1/service/uppercase",
      "portway message send hello --from n1 --to /dnsaddr/relay.example.com/tcp/7000/service/forward_to_n3/service/echo",
      "portway relay create --at n2 --to n3 | portway message send hello --to /node/n2/-/service/uppercase",
    );
}
