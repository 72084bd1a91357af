// Calls to the server. A call never throws: it went well, must wait, or was refused for good.

export type Outcome =
  | { kind: "ok"; body: any }
  | { kind: "wait"; seconds: number | null }
  | {
      kind: "refused";
      status: number;
      code: string;
      message: string;
      fields: Record<string, string[]>;
    };

export interface Call {
  method?: "GET" | "POST";
  body?: unknown;
  key?: string;
  token?: string | undefined;
}

const PATIENCE = 15_000;
const PASSING = [408, 425, 429, 500, 502, 503, 504];

/** The seconds of a Retry-After header, an hour at most; null when it says none. */
export function retryAfter(header: string | null): number | null {
  return header && /^\d+$/.test(header) ? Math.min(Number(header), 3600) : null;
}

export async function call(base: string, path: string, options: Call = {}): Promise<Outcome> {
  const { method = "GET", body, key, token } = options;
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (token) headers["X-Visitor-Token"] = token;
  try {
    const reply = await fetch(base + path, {
      method,
      headers,
      credentials: "omit",
      signal: AbortSignal.timeout(PATIENCE),
      // A visitor who sends and leaves the page has still sent it.
      keepalive: method === "POST",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (PASSING.includes(reply.status)) {
      return { kind: "wait", seconds: retryAfter(reply.headers.get("Retry-After")) };
    }
    const said = await reply.json();
    if (reply.ok) return { kind: "ok", body: said };
    const { code = "", message = "", fields = {} } = said.error || {};
    return { kind: "refused", status: reply.status, code, message, fields };
  } catch {
    // Offline, cut off, a lost or garbled reply: whether it arrived, the key will tell.
    return { kind: "wait", seconds: null };
  }
}
