// Forms that a script sends: the toast that the reply carries, and where it leads.
import { showNote, type Note } from "./toasts";

const LOST: Note = { text: "No connection. Nothing was changed; try again.", undo: null, label: "", bad: true };
const FAILED: Note = { text: "Something went wrong on our side; please try again.", undo: null, label: "", bad: true };

/** Sends a form as htmx would; whether it was taken. What the reply says is shown. */
export async function send(path: string, form: Record<string, string>): Promise<boolean> {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
  let reply: Response;
  try {
    reply = await fetch(path, {
      method: "POST",
      headers: { "HX-Request": "true", "X-CSRF-Token": token },
      body: new URLSearchParams(form),
    });
  } catch {
    showNote(LOST);
    return false;
  }
  const elsewhere = reply.headers.get("HX-Redirect");
  if (elsewhere) window.location.assign(elsewhere);
  const said = noteOf(reply.headers.get("HX-Trigger"));
  if (said) showNote(said);
  else if (reply.status >= 500) showNote(FAILED);
  return reply.ok;
}

function noteOf(header: string | null): Note | null {
  try {
    return header ? (JSON.parse(header)["leadline:note"] as Note) : null;
  } catch {
    return null;
  }
}
