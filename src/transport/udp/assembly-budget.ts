import type { AssemblyRoom } from "../../wire/begun-message.js";

/** One who puts messages together, as the others see it who need memory too. */
export interface BudgetHolder {
  /** It has shown that it receives where it says it is. */
  readonly isProven: boolean;
  /** Gives up what it has begun. */
  yieldRoom(): void;
}

interface Share {
  readonly holder: BudgetHolder;
  bytes: number;
}

/**
 * The memory in which all peers of a transport put their messages together. When it is used up, begun messages are given
 * up to make room: those of unproven peers first, and among equals the one that has waited longest for more.
 */
export class AssemblyBudget {
  /** In the order in which they last took something. */
  readonly #shares = new Set<Share>();
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get leftBytes(): number {
    return this.#left;
  }

  roomFor(holder: BudgetHolder): AssemblyRoom {
    const share: Share = { holder, bytes: 0 };
    return {
      take: (bytes) => {
        if (bytes > this.#left) this.#makeRoom(bytes, share);
        if (bytes > this.#left) return false;
        this.#left -= bytes;
        share.bytes += bytes;
        this.#shares.delete(share);
        this.#shares.add(share);
        return true;
      },
      giveBack: (bytes) => {
        this.#left += bytes;
        share.bytes -= bytes;
        if (share.bytes === 0) this.#shares.delete(share);
      },
    };
  }

  #makeRoom(bytes: number, asking: Share): void {
    const others = [...this.#shares].filter((share) => share !== asking);
    const order = [
      ...others.filter(({ holder }) => !holder.isProven),
      // Who has not shown that it is where it says takes nothing from those who have.
      ...(asking.holder.isProven ? others.filter(({ holder }) => holder.isProven) : []),
    ];
    for (const { holder } of order) {
      if (bytes <= this.#left) return;
      holder.yieldRoom();
    }
  }
}
