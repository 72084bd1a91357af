// The page inside the preview's frame: the real widget, whose calls go to the draft instead of to the shop.
//
// What was done so far is kept here and sent along with each call, since the server keeps nothing of it. It
// outlives the page itself, so that the talk goes on where it was while its words change under it.

interface Call {
  name: string;
  body: Record<string, unknown>;
}

/** The editor's window: what is typed in it and not saved, for the frame to ask for. */
export interface Seen extends Window {
  leadlineTyped?: { part: string; form: string };
}

/** A talk under way: on which page of the editor, how it is shown, and all of its calls. */
interface Kept {
  where: string;
  calls: [string, Call][];
}

const ENDPOINT = /\/api\/(widget\/config|session\/start|answer|behavior|lead\/profile|lead\/summary)(?:\/|$)/;
const STORED = "leadline:preview";
const TALK = "leadline:preview-talk";

/** The next preview begins from the first word. */
export function forget(): void {
  sessionStorage.removeItem(TALK);
}

export function start(element: HTMLElement): void {
  const { talk = "", locale = "", arms = "" } = element.dataset;
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
  const points = element.querySelector<HTMLElement>("[data-points]");
  const where = [window.parent.location.pathname, locale, arms].join(" ");
  const done = new Map(kept(where));
  const send = window.fetch.bind(window);
  if (!done.size) localStorage.removeItem(STORED);

  async function play(call: Call): Promise<Response> {
    const calls = [...done.values()].filter((one) => one !== call).concat(call);
    const typed = (window.parent as Seen).leadlineTyped;
    const reply = await send(talk, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
      body: JSON.stringify({ calls, locale, arms, typed }),
    });
    tell(reply.clone(), points);
    return reply;
  }

  window.fetch = (input, options = {}) => {
    const address = new URL(String(input), location.href);
    const name = ENDPOINT.exec(address.pathname)?.[1];
    if (!name) return send(input, options);
    if (options.method !== "POST") return play({ name, body: Object.fromEntries(address.searchParams) });
    const call = { name, body: JSON.parse(String(options.body)) as Call["body"] };
    // Sent again after a lost reply, it is still the same call.
    const key = new Headers(options.headers).get("Idempotency-Key") ?? String(done.size);
    const known = done.get(key) ?? call;
    done.set(key, known);
    sessionStorage.setItem(TALK, JSON.stringify({ where, calls: [...done] } satisfies Kept));
    return play(known);
  };

  const script = document.createElement("script");
  script.src = "/widget.js";
  script.dataset.site = "preview";
  script.dataset.locale = locale;
  document.body.append(script);
}

/** The calls of a talk that was begun right here. */
function kept(where: string): [string, Call][] {
  const found = JSON.parse(sessionStorage.getItem(TALK) ?? "null") as Kept | null;
  if (found?.where === where) return found.calls;
  forget();
  return [];
}

/** Says what the conversation would have earned so far. */
async function tell(reply: Response, points: HTMLElement | null): Promise<void> {
  if (!points || !reply.ok) return;
  const said = (await reply.json()) as { lead_score?: number; classification?: string };
  if (typeof said.lead_score !== "number") return;
  points.textContent = `${said.lead_score} points so far: ${said.classification}`;
}
