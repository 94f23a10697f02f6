import { Address, transportType } from "../model/address.js";
import { type Entrance, Message } from "../model/message.js";
import { Route } from "../model/route.js";
import type { Arrival } from "../routing/arrival.js";
import type { Registration, Router } from "../routing/router.js";
import type { DropReason, Outcome, Worker } from "../routing/worker.js";
import { maxRelayNameBytes, relayPrefix, unfitCharacter } from "./relay-name.js";
import { decodeText, isAliveText, refusalIn } from "./relay-text.js";

export interface RelayEndOptions {
  readonly router: Router;
  /** Without the prefix. */
  readonly name: string;
  /** The host has given us the name; `remote` is the relay's address there. Said again for each confirmation. */
  readonly confirmed: (remote: Address) => void;
  /** The host has refused the name for the reason that this word says. */
  readonly refused: (refusal: string) => void;
}

const maxRemoteBytes = relayPrefix.length + maxRelayNameBytes;

/** The worker to which a relay points: it hears from the connection alone that the registration left on. */
export class RelayEnd implements Worker, Disposable {
  readonly address = Address.random();
  readonly #options: RelayEndOptions;
  readonly #worker: Registration;

  constructor(options: RelayEndOptions) {
    this.#options = options;
    this.#worker = options.router.register(this.address, this, { kind: "relay_client", hearsFrom: "here" });
  }

  /** From now on it hears from `entrance`. False if it did already. */
  bind(entrance: Entrance): boolean {
    if (this.#worker.hearsFrom === entrance) return false;
    this.#worker.hearsFrom = entrance;
    return true;
  }

  /** It hears from no connection. */
  unbind(): void {
    this.#worker.hearsFrom = "here";
  }

  /** That connection is not read at present: nothing can come in. */
  get isBlocked(): boolean {
    const { hearsFrom } = this.#worker;
    return typeof hearsFrom === "object" && (hearsFrom as Arrival).isBlocked === true;
  }

  /** What has come in on the connection that it hears from, as far as that is known. */
  get received(): number | undefined {
    const { hearsFrom } = this.#worker;
    return typeof hearsFrom === "object" ? (hearsFrom as Arrival).traffic?.receivedMessages : undefined;
  }

  handle(message: Message): Outcome {
    if (message.onward.length > 1) return this.#passOn(message);
    const text = decodeText(message.payload);
    if (text === undefined) return "malformed_payload";
    if (isAliveText(text)) return this.#answerHost(message);
    if (text.endsWith(this.#options.name)) return this.#confirmed(message.return);
    const refusal = refusalIn(text);
    if (refusal === undefined) return "unexpected";
    this.#options.refused(refusal);
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#worker[Symbol.dispose]();
  }

  /** A relay of Ockam's Elixir kind sends its messages through us: what they reach is no more than without us. */
  #passOn(message: Message): Outcome {
    const onward = message.onward.rest();
    if (onward.firstIs(this.address)) return "unexpected";
    return this.#options.router.unwrap(message.withRoutes(onward, message.return));
  }

  /** The host asks whether we are still there. */
  #answerHost({ return: onward, payload, trace, backing, entrance }: Message): Outcome {
    if (onward.isEmpty) return "route_exhausted";
    const back = Route.of(this.address);
    return this.#options.router.forward(
      Message.of({ onward, return: back, payload, trace, backing, entrance }),
    );
  }

  #confirmed(back: Route): DropReason | undefined {
    if (back.isEmpty) return "route_exhausted";
    const remote = back.last;
    // It is shown to people: not everything that a host may send is fit for that.
    const isFit = remote.encoded.byteLength <= maxRemoteBytes + 8 && !unfitCharacter.test(remote.text);
    if (remote.type !== transportType.local || !isFit) return "unexpected";
    this.#options.confirmed(remote);
    return undefined;
  }
}
