// Ticking leads: all on the page at once, and how many are ticked.

/** Listens to the ticks of a form with `[data-tick-all]`, `[data-ticked]` and `[data-ticked-bar]`. */
export function start(form: HTMLElement): void {
  const every = form.querySelector<HTMLInputElement>("[data-tick-all]");
  const said = form.querySelector<HTMLElement>("[data-ticked]");
  const ticks = [...form.querySelectorAll<HTMLInputElement>('input[name="ids"]')];
  const whole = form.querySelector<HTMLInputElement>('input[name="all"]');

  // What one does with them stands below the list; the bar leads there from wherever one is.
  const bar = form.querySelector<HTMLElement>("[data-ticked-bar]");
  const words = bar?.querySelector("strong");

  const count = (): void => {
    const ticked = ticks.filter((one) => one.checked).length;
    if (said) said.textContent = whole?.checked ? "(all of the list)" : `(${ticked})`;
    if (bar) bar.hidden = ticked === 0 || Boolean(whole?.checked);
    if (words) words.textContent = `${ticked} ticked`;
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
  bar?.querySelector("[data-untick]")?.addEventListener("click", () => {
    for (const one of ticks) one.checked = false;
    count();
  });
  form.addEventListener("change", count);
  // A browser that comes back to the page has kept the ticks.
  count();
}
