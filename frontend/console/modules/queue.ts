// The action queue: j and k go through it, Enter opens (a link does that by itself), countdowns run.
const MINUTE = 60_000;
const UNITS: [number, string][] = [
  [86_400 * 365, "y"],
  [86_400 * 30, "mo"],
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];

function left(seconds: number): string {
  const [size, unit] = UNITS.find(([one]) => Math.abs(seconds) >= one) ?? [0, ""];
  if (!size) return "now";
  return `${Math.floor(Math.abs(seconds) / size)} ${unit} ${seconds < 0 ? "late" : "left"}`;
}

function count(list: HTMLElement): void {
  for (const time of list.querySelectorAll<HTMLTimeElement>("time[data-due]")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    time.textContent = left(seconds);
    time.parentElement?.classList.toggle("late", seconds < 0);
  }
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function step(list: HTMLElement, by: number): void {
  const names = [...list.querySelectorAll<HTMLAnchorElement>("[data-row] .name")];
  const here = document.activeElement?.closest("[data-row]");
  const place = names.findIndex((name) => here?.contains(name));
  const next = names[place < 0 ? (by > 0 ? 0 : names.length - 1) : place + by];
  next?.focus();
  next?.closest("[data-row]")?.scrollIntoView({ block: "nearest" });
}

export function start(list: HTMLElement): void {
  const keys = (event: KeyboardEvent): void => {
    if (!list.isConnected) return document.removeEventListener("keydown", keys);
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "j" || event.key === "k") {
      event.preventDefault();
      step(list, event.key === "j" ? 1 : -1);
    }
  };
  document.addEventListener("keydown", keys);
  const clock = window.setInterval(() => (list.isConnected ? count(list) : window.clearInterval(clock)), MINUTE / 2);
  count(list);
}
