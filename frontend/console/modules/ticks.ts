// Ticking leads: all on the page at once, and how many are ticked.

/** Listens to the ticks of a form with `[data-tick-all]` and `[data-ticked]`. */
export function start(form: HTMLElement): void {
  const every = form.querySelector<HTMLInputElement>("[data-tick-all]");
  const said = form.querySelector<HTMLElement>("[data-ticked]");
  const ticks = [...form.querySelectorAll<HTMLInputElement>('input[name="ids"]')];
  const whole = form.querySelector<HTMLInputElement>('input[name="all"]');

  const count = (): void => {
    const ticked = ticks.filter((one) => one.checked).length;
    if (said) said.textContent = whole?.checked ? "(all of the list)" : `(${ticked})`;
    if (every) {
      every.checked = ticked > 0 && ticked === ticks.length;
      every.indeterminate = ticked > 0 && ticked < ticks.length;
    }
  };

  if (every) {
    every.hidden = false;
    every.addEventListener("change", () => {
      for (const one of ticks) one.checked = every.checked;
      count();
    });
  }
  form.addEventListener("change", count);
  // A browser that comes back to the page has kept the ticks.
  count();
}
