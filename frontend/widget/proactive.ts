// Opening by itself: after a time, at a depth, or when the pointer leaves; rarely, and never rudely.

import type { Proactive } from "./wire";

/** Whether an address such as `/pricing/eu` fits a pattern such as `/pricing*`. */
export function fits(pattern: string, path: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[^\w/]/g, "\\$&"));
  return RegExp(`^${parts.join(".*")}$`).test(path);
}

/** Whether the last time is long enough ago. */
export function isDue(rules: Proactive, last: number | undefined, now: number): boolean {
  return last === undefined || now - last >= rules.cap_hours * 3_600_000;
}

/** Calls `open` once when the first of the rules comes true; returns what calls it off. */
export function watch(rules: Proactive, open: () => void): () => void {
  const stops: (() => void)[] = [];
  const stop = () => stops.splice(0).forEach((one) => one());
  const go = () => {
    if (!fits(rules.url_pattern, location.pathname)) return;
    stop();
    open();
  };
  if (rules.after_seconds !== null) {
    const timer = setTimeout(go, rules.after_seconds * 1000);
    stops.push(() => clearTimeout(timer));
  }
  if (rules.scroll_percent !== null) {
    const depth = rules.scroll_percent / 100;
    listen(stops, window, "scroll", () => {
      const page = document.documentElement;
      const room = page.scrollHeight - page.clientHeight;
      if (room > 0 && page.scrollTop / room >= depth) go();
    });
  }
  if (rules.exit_intent) {
    listen(stops, document, "mouseout", (event) => {
      const { clientY, relatedTarget } = event as MouseEvent;
      if (!relatedTarget && clientY <= 0) go();
    });
  }
  return stop;
}

function listen(
  stops: (() => void)[],
  target: EventTarget,
  name: string,
  work: (event: Event) => void,
): void {
  target.addEventListener(name, work, { passive: true });
  stops.push(() => target.removeEventListener(name, work));
}
