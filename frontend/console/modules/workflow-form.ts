// A long form of the workflow editor: rows that are moved, added and taken out, and a word about what is not saved.

/** Rows keep their names; the server reads them in the order of the page. */
export function start(form: HTMLElement): void {
  for (const list of form.querySelectorAll<HTMLElement>("[data-rows]")) {
    for (const row of list.querySelectorAll<HTMLElement>("[data-row]")) ready(row, form);
  }
  for (const button of form.querySelectorAll<HTMLElement>("[data-row-add]")) {
    button.hidden = false;
    button.addEventListener("click", () => add(button, form));
  }
  let isDirty = false;
  form.addEventListener("input", () => {
    isDirty = true;
    const mark = form.querySelector<HTMLElement>("[data-unsaved]");
    if (mark) mark.hidden = false;
  });
  form.addEventListener("submit", () => (isDirty = false));
  window.addEventListener("beforeunload", (event) => {
    if (isDirty) event.preventDefault();
  });
}

function ready(row: HTMLElement, form: HTMLElement): void {
  const buttons = row.querySelector<HTMLElement>(".row-buttons");
  if (!buttons) return;
  buttons.hidden = false;
  const on = (name: string, work: () => void) =>
    buttons.querySelector<HTMLElement>(`[data-row-${name}]`)?.addEventListener("click", (event) => {
      work();
      form.dispatchEvent(new Event("input", { bubbles: true }));
      (event.currentTarget as HTMLElement).focus();
    });
  on("up", () => row.previousElementSibling?.before(row));
  on("down", () => row.nextElementSibling?.after(row));
  on("remove", () => {
    const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector<HTMLElement>("input:not([type=hidden])");
    row.remove();
    next?.focus();
  });
}

let added = 0;

function add(button: HTMLElement, form: HTMLElement): void {
  const list = button.parentElement?.querySelector<HTMLElement>("[data-rows]");
  const last = list?.querySelector<HTMLElement>("[data-row]:last-child");
  if (!list || !last) return;
  const row = last.cloneNode(true) as HTMLElement;
  added++;
  for (const input of row.querySelectorAll<HTMLInputElement>("input")) {
    input.name = input.name.replace(/-\d+-/, `-${1000 + added}-`);
    input.value = input.type === "checkbox" ? "on" : "";
    input.checked = false;
  }
  row.querySelectorAll(".wrong").forEach((one) => one.remove());
  list.append(row);
  ready(row, form);
  row.querySelector<HTMLElement>("input")?.focus();
}
