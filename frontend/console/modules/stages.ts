// The lines of the stage editor: put elsewhere by two buttons; the numbers follow.

/** Shows the buttons and keeps the places in the order of the lines. */
export function start(list: HTMLElement): void {
  for (const button of list.querySelectorAll<HTMLButtonElement>("[data-up], [data-down]")) {
    button.hidden = false;
    button.addEventListener("click", () => put(list, button));
  }
}

function put(list: HTMLElement, button: HTMLButtonElement): void {
  const line = button.closest("li");
  if (!line) return;
  const other = "up" in button.dataset ? line.previousElementSibling : line.nextElementSibling;
  if (!other) return;
  if ("up" in button.dataset) other.before(line);
  else other.after(line);
  button.focus();
  [...list.querySelectorAll<HTMLInputElement>("input[name^=place_]")].forEach((field, index) => {
    field.value = String(index + 1);
  });
}
