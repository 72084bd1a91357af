// The console's first load: htmx, light or dark, toasts, and the module that a part of a page names.
import htmx from "htmx.org";

import { showNote, type Note } from "./toasts";
import { startTheme } from "./theme";

import.meta.glob("./styles/*.css", { eager: true });

/** A module of `modules/` exports this; `element` is the one with `data-module="its name"`. */
export type Start = (element: HTMLElement) => void | Promise<void>;

const modules = import.meta.glob<{ start: Start }>("./modules/*.ts");

async function startModules(root: ParentNode): Promise<void> {
  for (const element of root.querySelectorAll<HTMLElement>("[data-module]:not([data-started])")) {
    const load = modules[`./modules/${element.dataset.module}.ts`];
    // Another round, begun while this one waited for a module, may have been here.
    if (!load || "started" in element.dataset) continue;
    element.dataset.started = "";
    await (await load()).start(element);
  }
}

/** A form with data-confirm asks before it is sent. */
function askFirst(event: Event): void {
  const form = event.target as HTMLElement;
  const question = form.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}

function closeMenus(event: Event): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details[data-close-outside][open]")) {
    if (!menu.contains(event.target as Node)) menu.open = false;
  }
}

document.addEventListener("submit", askFirst, true);
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details[data-close-outside][open]")) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }
});
document.body.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content;
  if (token) (event as CustomEvent).detail.headers["X-CSRF-Token"] = token;
});
document.body.addEventListener("leadline:note", (event) => showNote((event as CustomEvent<Note>).detail));
document.body.addEventListener("htmx:sendError", () =>
  showNote({ text: "No connection. Nothing was changed; try again.", undo: null, label: "", bad: true }),
);
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const detail = (event as CustomEvent).detail;
  // A form that was refused comes back with its sentences.
  if (detail.xhr.status === 422 && detail.xhr.getResponseHeader("HX-Reswap") !== "none") {
    detail.shouldSwap = true;
    detail.isError = false;
  } else if (detail.xhr.status >= 500) {
    showNote({ text: "Something went wrong on our side; please try again.", undo: null, label: "", bad: true });
  }
});
document.body.addEventListener("htmx:load", (event) => void startModules((event as CustomEvent).detail.elt.parentElement ?? document));

startTheme();
void startModules(document);
Object.assign(window, { htmx });
