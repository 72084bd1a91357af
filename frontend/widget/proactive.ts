// Opening by itself: after a time, at a depth, or when the pointer leaves; rarely, and never rudely.

import type { Proactive } from "./wire";

/** Whether an address such as `/pricing/eu` fits a pattern such as `/pricing*`. */
export function fits(pattern: string, path: string): boolean {
  const plain = pattern.replace(/[^\w/*]/g, "\\$&").replaceAll("*", ".*");
  return RegExp(`^${plain}$`).test(path);
}

/** Whether the last time is long enough ago. */
export function isDue(rules: Proactive, last: number | undefined, now: number): boolean {
  return last === undefined || now - last >= rules.cap_hours * 3_600_000;
}

/** Calls `open` once when the first of the rules comes true; returns what calls it off. */
export function watch(rules: Proactive, open: () => void): () => void {
  const off = new AbortController();
  const { signal } = off;
  const heard = { passive: true, signal };
  const go = () => {
    if (signal.aborted || !fits(rules.url_pattern, location.pathname)) return;
    off.abort();
    open();
  };
  if (rules.after_seconds !== null) setTimeout(go, rules.after_seconds * 1000);
  if (rules.scroll_percent !== null) {
    const depth = rules.scroll_percent / 100;
    const look = () => {
      const page = document.documentElement;
      const room = page.scrollHeight - page.clientHeight;
      if (room > 0 && page.scrollTop / room >= depth) go();
    };
    addEventListener("scroll", look, heard);
  }
  if (rules.exit_intent) {
    const leaves = (event: MouseEvent) => {
      if (!event.relatedTarget && event.clientY <= 0) go();
    };
    document.addEventListener("mouseout", leaves, heard);
  }
  return () => off.abort();
}
