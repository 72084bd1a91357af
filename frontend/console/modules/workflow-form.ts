// A long form of the workflow editor: its rows, what is wrong beside each field, and a word about what is not saved.

/** Told to the preview beside the form whenever the server has looked at what is typed. */
export interface Typed {
  part: string;
  form: string;
  isWell: boolean;
}

/** Rows keep their names; the server reads them in the order of the page. */
export function start(element: HTMLElement): void {
  const form = element as HTMLFormElement;
  for (const list of form.querySelectorAll<HTMLElement>("[data-rows]")) {
    for (const row of list.querySelectorAll<HTMLElement>("[data-row]")) ready(row, form);
  }
  for (const button of form.querySelectorAll<HTMLElement>("[data-row-add]")) {
    button.hidden = false;
    button.addEventListener("click", () => add(button, form));
  }
  for (const label of form.querySelectorAll<HTMLElement>("[data-colour-for]")) chooseColour(label, form);
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
  startConditions(form);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    const swapped = event.target as HTMLElement;
    if (swapped.id === "wrong") looked(form, swapped);
    if (swapped.id !== "when" || !form.contains(swapped)) return;
    startConditions(form);
    form.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

/** The server's sentences, each beside its field. */
function looked(form: HTMLFormElement, list: HTMLElement): void {
  for (const slot of form.querySelectorAll<HTMLElement>("[data-said]")) {
    const places = (slot.dataset.said ?? "").split(" ");
    const said = [...list.querySelectorAll<HTMLElement>("[data-field]")]
      .filter((one) => places.includes(one.dataset.field ?? ""))
      .map((one) => one.querySelector("span")?.textContent ?? "");
    tell(slot, said);
  }
  const count = Number(list.dataset.wrong);
  const mark = form.querySelector<HTMLElement>("[data-to-mend]");
  if (mark) mark.textContent = count === 0 ? "" : count === 1 ? "1 place to mend" : `${count} places to mend`;
  const fields = [...new FormData(form)].filter((one): one is [string, string] => typeof one[1] === "string");
  const detail: Typed = {
    part: form.dataset.part ?? "",
    form: new URLSearchParams(fields).toString(),
    isWell: count === 0,
  };
  document.dispatchEvent(new CustomEvent<Typed>("leadline:typed", { detail }));
}

function tell(slot: HTMLElement, sentences: string[]): void {
  const written = sentences.map((sentence) => {
    const line = document.createElement("p");
    line.className = "wrong";
    line.textContent = sentence;
    return line;
  });
  slot.replaceChildren(...written);
  const field = slot
    .closest(".field, .list-row, .translation")
    ?.querySelector("input:not([type=hidden], [type=checkbox]), select, textarea");
  if (sentences.length) field?.setAttribute("aria-invalid", "true");
  else field?.removeAttribute("aria-invalid");
}

/** Rows that say nothing are out of the way; a value is proposed from what its question offers. */
function startConditions(form: HTMLElement): void {
  const when = form.querySelector<HTMLSelectElement>("[data-when]");
  const rows = form.querySelector<HTMLElement>("[data-if-rows]");
  if (!when || !rows) return;
  const show = () => (rows.hidden = when.value === "always" || when.value === "own");
  when.addEventListener("change", show);
  show();
  for (const row of rows.querySelectorAll<HTMLElement>("[data-if-row]")) {
    const [subject, op] = row.querySelectorAll("select");
    const value = row.querySelector("input");
    const fit = () => {
      value?.setAttribute("list", `values-${subject?.value.split(":")[1] ?? "none"}`);
      if (value) value.hidden = op?.value === "answered" || op?.value === "skipped";
    };
    row.addEventListener("change", fit);
    fit();
  }
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

/** A colour is chosen with the eye; the field beside it keeps its letters. */
function chooseColour(label: HTMLElement, form: HTMLFormElement): void {
  const chosen = label.querySelector("input");
  const field = form.elements.namedItem(label.dataset.colourFor ?? "") as HTMLInputElement | null;
  if (!chosen || !field) return;
  label.hidden = field.matches(":disabled");
  chosen.addEventListener("input", () => (field.value = chosen.value));
  field.addEventListener("input", () => /^#[0-9a-f]{6}$/i.test(field.value) && (chosen.value = field.value));
}

let added = 0;

function add(button: HTMLElement, form: HTMLElement): void {
  const list = button.parentElement?.querySelector<HTMLElement>("[data-rows]");
  const last = list?.querySelector<HTMLElement>("[data-row]:last-child");
  if (!list || !last) return;
  const row = last.cloneNode(true) as HTMLElement;
  added++;
  const key = 1000 + added;
  for (const input of row.querySelectorAll<HTMLInputElement>("input")) {
    input.name = input.name.replace(/-\d+-/, `-${key}-`);
    input.value = input.type === "checkbox" ? "on" : "";
    input.checked = false;
  }
  for (const slot of row.querySelectorAll<HTMLElement>("[data-said]")) {
    slot.dataset.said = slot.dataset.said?.replace(/\[\d+\]/g, `[${key}]`);
    slot.replaceChildren();
  }
  list.append(row);
  ready(row, form);
  row.querySelector<HTMLElement>("input")?.focus();
}
