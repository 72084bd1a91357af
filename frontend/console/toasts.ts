// What the console says about what was just done; spoken once by a screen reader.
export interface Note {
  text: string;
  undo: string | null;
  label: string;
  bad?: boolean;
}

const LIFE = 8000;

/** Shows a note; one with a way back, or about trouble, stays until it is closed. */
export function showNote(note: Note): void {
  const place = document.getElementById("toasts");
  if (!place) return;
  const toast = document.createElement("div");
  toast.className = note.bad ? "toast bad" : "toast";
  const text = document.createElement("span");
  text.textContent = note.text;
  toast.append(text);
  if (note.undo?.startsWith("/console/")) toast.append(undoForm(note.undo, note.label));
  toast.append(closeButton(toast));
  place.append(toast);
  if (!note.bad && !note.undo) window.setTimeout(() => toast.remove(), LIFE);
}

function undoForm(path: string, label: string): HTMLFormElement {
  const form = document.createElement("form");
  form.method = "post";
  form.action = path;
  const token = document.createElement("input");
  token.type = "hidden";
  token.name = "csrf_token";
  token.value = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
  const button = document.createElement("button");
  button.className = "button small";
  button.textContent = label || "Undo";
  form.append(token, button);
  return form;
}

function closeButton(toast: HTMLElement): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "close";
  button.setAttribute("aria-label", "Close");
  button.textContent = "×";
  button.addEventListener("click", () => toast.remove());
  return button;
}
