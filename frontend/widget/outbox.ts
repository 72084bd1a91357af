// What the visitor sent and the server has not acknowledged: kept in order, sent until it counts.

import type { Outcome } from "./api";
import type { Box, Item } from "./storage";

export interface Wires {
  send: (item: Item) => Promise<Outcome>;
  /** The server has answered for good; the item is gone from the queue. */
  settled: (item: Item, outcome: Outcome) => void;
  /** It could not be sent now; the next try comes by itself. */
  stalled: (seconds: number) => void;
  now: () => number;
  later: (work: () => void, milliseconds: number) => unknown;
  /** Runs the work while no other tab runs its own. */
  exclusively: (work: () => Promise<void>) => Promise<void>;
}

const LONGEST_PAUSE = 60;

export class Outbox {
  private running = false;
  private timer: unknown = null;
  private tries = 0;

  constructor(
    private box: Box,
    private wires: Wires,
  ) {}

  get items(): Item[] {
    return this.box.read().queue || [];
  }

  add(item: Item): void {
    this.box.update((saved) => {
      saved.queue = [...(saved.queue || []), item];
    });
    void this.pump();
  }

  /** Forgets what belongs to a session that is no more. */
  drop(session: string): void {
    this.box.update((saved) => {
      saved.queue = (saved.queue || []).filter((item) => item.session !== session);
    });
  }

  /** Sends from the head until the queue is empty or the server cannot take more. */
  async pump(): Promise<void> {
    if (this.running || !this.items.length) return;
    this.running = true;
    let goesOn = true;
    try {
      await this.wires.exclusively(async () => {
        while (goesOn && this.items.length) goesOn = await this.sendHead();
      });
    } finally {
      this.running = false;
    }
    // Something may have been added between the last look and the release of the lock.
    if (goesOn && this.items.length) void this.pump();
  }

  private async sendHead(): Promise<boolean> {
    const item = this.items[0] as Item;
    const pause = (this.box.read().notBefore || 0) - this.wires.now();
    if (pause > 0) return this.wait(pause / 1000);
    const outcome = await this.wires.send(item);
    if (outcome.kind === "wait") return this.postpone(outcome.seconds);
    this.tries = 0;
    this.box.update((saved) => {
      saved.queue = (saved.queue || []).filter((other) => other.key !== item.key);
      saved.revision = (saved.revision || 0) + 1;
      delete saved.notBefore;
    });
    this.wires.settled(item, outcome);
    return true;
  }

  private postpone(asked: number | null): boolean {
    // Asked to wait, every tab waits; without a word from the server each tries when the line is
    // back.
    if (asked !== null) {
      this.box.update((saved) => {
        saved.notBefore = this.wires.now() + asked * 1000;
      });
    }
    return this.wait(asked ?? Math.min(2 ** this.tries++, LONGEST_PAUSE));
  }

  private wait(seconds: number): boolean {
    this.wires.stalled(seconds);
    if (this.timer === null) {
      this.timer = this.wires.later(() => {
        this.timer = null;
        void this.pump();
      }, seconds * 1000);
    }
    return false;
  }
}

/** The browser's lock between tabs, where it has one; keys make a race harmless where not. */
export function exclusively(name: string): (work: () => Promise<void>) => Promise<void> {
  const locks: LockManager | undefined = navigator.locks;
  if (!locks) return (work) => work();
  return async (work) => {
    try {
      await locks.request(name, work);
    } catch {
      await work();
    }
  };
}
