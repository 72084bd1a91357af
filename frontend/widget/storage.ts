// What the widget remembers between pages: one key, and memory where the browser forbids it.

export interface Item {
  /** The Idempotency-Key: however often it is sent, it counts once. */
  key: string;
  path: string;
  session: string;
  body: Record<string, unknown>;
  /** What the visitor sees of it while it waits. */
  label?: string;
}

export interface Saved {
  visitor?: string;
  session?: string;
  token?: string;
  /** The key of a start whose reply has not come yet. */
  starting?: string;
  step?: string;
  clicked?: string[];
  /** Whether the end of the questions was told to the page. */
  done?: boolean;
  queue?: Item[];
  /** Until when the server asked us to wait, in milliseconds. */
  notBefore?: number;
  /** When the widget last opened by itself. */
  proactive?: number;
  /** Counts changes that another tab should look at. */
  revision?: number;
  /** When the panel was last open, so that the next page shows it again. */
  openedAt?: number;
}

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The browser's storage, or null where reading it alone already throws. */
export function permitted(get: () => Store): Store | null {
  try {
    const store = get();
    store.getItem("leadline");
    return store;
  } catch {
    return null;
  }
}

export class Box {
  private memory = "{}";

  constructor(
    private store: Store | null,
    readonly key: string,
  ) {}

  read(): Saved {
    try {
      const text = this.store ? this.store.getItem(this.key) : this.memory;
      const found: unknown = JSON.parse(text || "{}");
      return found && typeof found === "object" ? (found as Saved) : {};
    } catch {
      return {};
    }
  }

  /** Reads, changes and writes at once, so that no other tab's change is lost in between. */
  update(change: (saved: Saved) => void): Saved {
    const saved = this.read();
    change(saved);
    this.memory = JSON.stringify(saved);
    try {
      this.store?.setItem(this.key, this.memory);
    } catch {
      // Full or forbidden meanwhile: this page goes on from memory.
      this.store = null;
    }
    return saved;
  }
}

/** A key nobody guesses, also where `crypto.randomUUID` is missing (plain http). */
export function randomKey(): string {
  return crypto.getRandomValues(new Uint32Array(5)).join("-");
}
