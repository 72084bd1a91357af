// What the script line and the page say: where the server is, how the widget looks, whence they came.

export interface Settings {
  base: string;
  site: string;
  locale: string;
  position: string;
  scheme: string;
  accent: string;
  /** The element that holds the conversation; without one there is a bubble. */
  place: HTMLElement | null;
  visit: Record<string, string>;
}

const FIRST_VISIT = "leadline:visit";

export function readSettings(script: HTMLScriptElement | null): Settings {
  const found = script ?? document.querySelector<HTMLScriptElement>('script[src*="/widget.js"]');
  const data = found?.dataset ?? {};
  return {
    base: (found?.src ?? location.origin).replace(/\/widget\.js.*$/, ""),
    site: data["site"] ?? "",
    locale: data["locale"] || document.documentElement.lang || navigator.language || "en",
    position: data["position"] ?? "",
    scheme: data["scheme"] ?? "",
    accent: data["accent"] ?? "",
    place: document.querySelector<HTMLElement>("[data-leadline]"),
    visit: firstVisit(),
  };
}

/** The page a visitor came to first: a campaign is not forgotten on the way to the third page. */
function firstVisit(): Record<string, string> {
  const here = visitNow(new URL(location.href), document.referrer);
  try {
    const stored = sessionStorage.getItem(FIRST_VISIT);
    if (stored && !here["utm_source"]) return JSON.parse(stored) as Record<string, string>;
    // Nothing is kept of those who came by no campaign.
    if (here["utm_source"]) sessionStorage.setItem(FIRST_VISIT, JSON.stringify(here));
  } catch {
    // Forbidden storage only costs the memory of the first page.
  }
  return here;
}

/** Whence and where: of the address only what names the page and the campaign. */
export function visitNow(address: URL, referrer: string): Record<string, string> {
  const visit: Record<string, string> = { landing_page: address.origin + address.pathname };
  if (referrer) visit["referrer"] = referrer.split(/[?#]/)[0] as string;
  address.searchParams.forEach((value, name) => {
    if (name.startsWith("utm_")) visit[name] = value;
  });
  return visit;
}
