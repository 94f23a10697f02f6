import { Allowance } from "../base/allowance.js";
import type { Clock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { Address } from "../model/address.js";
import { Message } from "../model/message.js";
import { Route } from "../model/route.js";
import type { Arrival } from "../routing/arrival.js";
import type { Registration, Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";
import { holderAnswers } from "./holder-check.js";
import { anyName, relayAddress, relayNameProblem, relayService, staticRelayService } from "./relay-name.js";
import { type Claim, RelayRegistration, type RelayRegistrationView } from "./relay-registration.js";
import { decodeText, encodeText, type Refusal, refusalText } from "./relay-text.js";

export interface RelayServiceLimits {
  /** Names that one connection may hold or contest at a time. It is given so many at once, then one more each second. */
  readonly registrationsPerConnection?: number;
  /** Names that the node gives out. */
  readonly registrations?: number;
}

const defaults = {
  registrationsPerConnection: 64,
  registrations: 10_000,
} as const satisfies Required<RelayServiceLimits>;

export interface RelayServiceOptions {
  readonly router: Router;
  readonly log: Log;
  readonly clock: Clock;
  readonly limits?: RelayServiceLimits;
  /** A registration came, went, was renewed or contested. What it forwards is no change. */
  readonly changed: (type: "added" | "modified" | "deleted", name: string) => void;
}

/** The registrations that a node hosts for others. */
export interface RelayService extends Disposable {
  /** Claims that were refused, by reason. */
  readonly refused: Readonly<Record<Refusal, number>>;
  /** By name. */
  registrations(): readonly RelayRegistrationView[];
  get(name: string): RelayRegistrationView | undefined;
  /** Ends a registration; its holder is not told and may claim the name again. False if there is none. */
  remove(name: string): boolean;
}

/**
 * Starts the service at both of its addresses. Throws `address_taken`. A name is given to whoever claims it first. It
 * changes hands only when the holder's connection is gone or its holder is silent for two seconds; a claim on the
 * connection that holds it renews it. PROTOCOL.md has the messages.
 */
export function createRelayService(options: RelayServiceOptions): RelayService {
  return new Service(options);
}

/** What one connection has here, and what it may be given. */
interface Tenancy {
  readonly held: Set<RelayRegistration>;
  readonly contests: Set<Contest>;
  readonly grants: Allowance;
  /** Undefined while it has nothing. */
  watch: Disposable | undefined;
}

/** A claim of a name that somebody holds, while the holder is asked. */
interface Contest {
  claim: Claim;
  readonly over: AbortController;
}

/** How long a holder that answered is not asked again, however often its name is claimed. */
const trustMs = 1_000;
/** Who claims and releases names all the time is given no more than one a second. */
const grantsPerMs = 1 / 1_000;
/** Of the way to a client: all that goes through its relay carries it, and a small message must not become a large one. */
const maxBackBytes = 1_024;
/** Refusals are logged no more often than this; the count in the line tells of those between. */
const refusalLogIntervalMs = 1_000;

class Service implements RelayService, Worker {
  readonly #options: RelayServiceOptions;
  readonly #limits: Required<RelayServiceLimits>;
  readonly #workers: readonly Registration[];
  readonly #registrations = new Map<string, RelayRegistration>();
  readonly #contests = new Map<string, Contest>();
  readonly #tenancies = new WeakMap<Arrival, Tenancy>();
  readonly #refused: Record<Refusal, number> = { name_held: 0, too_many: 0, bad_name: 0 };
  #refusalLoggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RelayServiceOptions) {
    this.#options = options;
    this.#limits = Object.freeze({ ...defaults, ...options.limits });
    const first = options.router.register(staticRelayService, this, { kind: "relay_service" });
    try {
      this.#workers = [first, options.router.register(relayService, this, { kind: "relay_service" })];
    } catch (error) {
      first[Symbol.dispose]();
      throw error;
    }
  }

  get refused(): Readonly<Record<Refusal, number>> {
    return { ...this.#refused };
  }

  registrations(): readonly RelayRegistrationView[] {
    const views = [...this.#registrations.values()].map(({ view }) => view);
    return views.sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  get(name: string): RelayRegistrationView | undefined {
    return this.#registrations.get(name)?.view;
  }

  remove(name: string): boolean {
    const registration = this.#registrations.get(name);
    if (registration !== undefined) this.#remove(registration, "removed");
    return registration !== undefined;
  }

  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker[Symbol.dispose]();
    for (const contest of [...this.#contests.values()]) this.#endContest(contest);
    for (const registration of [...this.#registrations.values()]) this.#remove(registration, "stopped");
  }

  handle(message: Message): Outcome {
    const arrival = message.entrance as Arrival | undefined;
    // Without a connection there is nothing that a relay could point through.
    if (arrival === undefined) return "refused";
    // The connection and the client's own address at least: what would be left of less leads nowhere else.
    if (message.return.length < 2) return "route_exhausted";
    if (message.return.byteLength > maxBackBytes) return "route_too_long";
    const text = decodeText(message.payload);
    if (text === undefined) return "malformed_payload";
    const isAnyName = text === anyName;
    const name = isAnyName ? Address.random().text : text;
    const trace = message.trace && Buffer.from(message.trace);
    return this.#claim({ name, arrival, back: message.return.keep(), trace, isAnyName });
  }

  #claim(claim: Claim): Outcome {
    if (relayNameProblem(claim.name) !== undefined) return this.#refuse(claim, "bad_name");
    const holder = this.#registrations.get(claim.name);
    if (holder === undefined) return this.#grant(claim);
    if (holder.arrival !== claim.arrival) return this.#contest(claim, holder);
    const contest = this.#contests.get(claim.name);
    if (contest !== undefined) {
      // The holder has spoken before it was asked.
      this.#endContest(contest);
      this.#refuse(contest.claim, "name_held", holder);
    }
    holder.renew(claim);
    return undefined;
  }

  #grant(claim: Claim): Outcome {
    const { router, clock, log, changed } = this.#options;
    const { name, arrival } = claim;
    if (this.#registrations.size >= this.#limits.registrations) return this.#refuse(claim, "too_many");
    if (router.find(relayAddress(name)) !== undefined) return this.#refuse(claim, "name_held");
    const tenancy = this.#tenancy(arrival);
    if (this.#isFull(tenancy)) return this.#refuse(claim, "too_many");
    if (!this.#watch(arrival, tenancy)) return "not_connected";
    const registration = new RelayRegistration({
      router,
      clock,
      claim,
      modified: () => changed("modified", name),
      released: () => this.#remove(registration, "released"),
    });
    this.#registrations.set(name, registration);
    tenancy.grants.use();
    tenancy.held.add(registration);
    log.info("relay_registration.added", {
      name,
      peer: registration.peer,
      connection: arrival.address.text,
    });
    changed("added", name);
    return undefined;
  }

  /** Somebody claims a name that is held on another connection: first come, first served. */
  #contest(claim: Claim, holder: RelayRegistration): Outcome {
    const running = this.#contests.get(claim.name);
    if (running?.claim.arrival === claim.arrival) {
      running.claim = claim;
      return undefined;
    }
    const { clock } = this.#options;
    if (running !== undefined || clock.monotonicMs() < holder.aliveUntilMs) {
      return this.#refuse(claim, "name_held", holder);
    }
    const tenancy = this.#tenancy(claim.arrival);
    if (this.#isFull(tenancy)) return this.#refuse(claim, "too_many");
    if (!this.#watch(claim.arrival, tenancy)) return "not_connected";
    const contest: Contest = { claim, over: new AbortController() };
    this.#contests.set(claim.name, contest);
    tenancy.contests.add(contest);
    void this.#decide(contest, holder);
    return undefined;
  }

  async #decide(contest: Contest, holder: RelayRegistration): Promise<void> {
    const { router, clock, log } = this.#options;
    const { signal } = contest.over;
    const { back, arrival } = holder;
    const answers = await holderAnswers({ router, clock, back, arrival, signal });
    if (signal.aborted) return;
    this.#endContest(contest);
    const { claim } = contest;
    if (answers) {
      holder.aliveUntilMs = clock.monotonicMs() + trustMs;
      this.#refuse(claim, "name_held", holder);
      return;
    }
    log.warn("relay_registration.taken_over", {
      name: claim.name,
      from: holder.peer,
      to: claim.arrival.peer,
    });
    this.#remove(holder, "silent");
    this.#grant(claim);
  }

  #endContest(contest: Contest): void {
    const { name, arrival } = contest.claim;
    contest.over.abort();
    this.#contests.delete(name);
    this.#tenancies.get(arrival)?.contests.delete(contest);
    this.#leaveIfEmpty(arrival);
  }

  #remove(registration: RelayRegistration, why: string): void {
    const { log, changed } = this.#options;
    const { name, arrival, peer } = registration;
    if (this.#registrations.get(name) !== registration) return;
    this.#registrations.delete(name);
    registration[Symbol.dispose]();
    this.#tenancies.get(arrival)?.held.delete(registration);
    this.#leaveIfEmpty(arrival);
    log.info("relay_registration.removed", { name, peer, why });
    changed("deleted", name);
    const contest = this.#contests.get(name);
    if (contest === undefined) return;
    this.#endContest(contest);
    this.#grant(contest.claim);
  }

  /** Counted, logged, shown where somebody holds the name, and told to the claimant if there is room for it. */
  #refuse(claim: Claim, refusal: Refusal, holder?: RelayRegistration): Outcome {
    const { router, log, clock } = this.#options;
    this.#refused[refusal] += 1;
    holder?.countRefusal();
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#refusalLoggedAtMs >= refusalLogIntervalMs) {
      this.#refusalLoggedAtMs = nowMs;
      log.warn("relay_registration.refused", {
        reason: refusal,
        name: claim.name.slice(0, 64),
        peer: claim.arrival.peer,
        holder: holder?.peer ?? "",
        refused: this.#refused[refusal],
      });
    }
    const text = refusalText(refusal);
    // A client that asked for any name takes any text for its name; see PROTOCOL.md for the others.
    if (!claim.isAnyName && !text.endsWith(claim.name)) {
      const { back, trace } = claim;
      const answer = { onward: back, return: Route.of(staticRelayService), payload: encodeText(text), trace };
      // A full queue drops it: the claimant's own deadline is what it can rely on.
      router.send(Message.of(answer));
    }
    return "refused";
  }

  #isFull({ held, contests, grants }: Tenancy): boolean {
    return grants.left < 1 || held.size + contests.size >= this.#limits.registrationsPerConnection;
  }

  #tenancy(arrival: Arrival): Tenancy {
    const known = this.#tenancies.get(arrival);
    if (known !== undefined) return known;
    const { registrationsPerConnection } = this.#limits;
    const grants = new Allowance(this.#options.clock, registrationsPerConnection, grantsPerMs);
    const tenancy: Tenancy = { held: new Set(), contests: new Set(), grants, watch: undefined };
    this.#tenancies.set(arrival, tenancy);
    return tenancy;
  }

  /** False if the connection has been lost meanwhile. */
  #watch(arrival: Arrival, tenancy: Tenancy): boolean {
    // May be lost in this very call.
    tenancy.watch ??= arrival.onLost(() => this.#connectionLost(arrival));
    return this.#tenancies.get(arrival) === tenancy;
  }

  #connectionLost(arrival: Arrival): void {
    const tenancy = this.#tenancies.get(arrival);
    if (tenancy === undefined) return;
    this.#tenancies.delete(arrival);
    for (const contest of [...tenancy.contests]) this.#endContest(contest);
    for (const registration of [...tenancy.held]) this.#remove(registration, "connection_lost");
  }

  #leaveIfEmpty(arrival: Arrival): void {
    const tenancy = this.#tenancies.get(arrival);
    if (tenancy === undefined || tenancy.held.size + tenancy.contests.size > 0) return;
    tenancy.watch?.[Symbol.dispose]();
    tenancy.watch = undefined;
  }
}
