// What the host page may call and hear: window.Leadline, and events on window.

export type Listener = (detail: unknown) => void;

export interface HostApi {
  open(): void;
  close(): void;
  identify(person: Record<string, unknown>): void;
  on(event: string, listener: Listener): void;
  push(...calls: unknown[]): void;
  isLoaded: true;
}

/** Runs work that must never trouble the page around us. */
export function guarded<A extends unknown[]>(work: (...given: A) => unknown): (...given: A) => void {
  return (...given) => {
    try {
      const result = work(...given);
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  };
}

function report(error: unknown): void {
  console.debug("leadline:", error);
}

export class Host {
  private listeners: Record<string, Listener[]> = {};

  on(event: string, listener: Listener): void {
    if (typeof listener === "function") (this.listeners[event] ??= []).push(listener);
  }

  /** Tells listeners and the window what happened: never an answer's text, never a contact. */
  emit(event: string, detail: Record<string, unknown> = {}): void {
    for (const listener of this.listeners[event] ?? []) guarded(listener)(detail);
    window.dispatchEvent(new CustomEvent(`leadline:${event}`, { detail }));
  }

  /** Puts the API in place of the stub, and makes up for what was called before. */
  publish(actions: Omit<HostApi, "on" | "push" | "isLoaded">): void {
    const page = window as unknown as { Leadline?: unknown };
    const waiting = Array.isArray(page.Leadline) ? (page.Leadline as unknown[]) : [];
    const api: HostApi = {
      open: guarded(actions.open),
      close: guarded(actions.close),
      identify: guarded(actions.identify),
      on: guarded((event: string, listener: Listener) => this.on(event, listener)),
      push: guarded((...calls: unknown[]) => {
        for (const one of calls) {
          const [name, ...given] = one as [string, ...never[]];
          if (name === "open" || name === "close" || name === "identify" || name === "on") {
            (api[name] as (...given: never[]) => void)(...given);
          }
        }
      }),
      isLoaded: true,
    };
    page.Leadline = api;
    for (const one of waiting) api.push(one);
  }
}
