// The frame that holds the preview: shows what is typed, in another language, with another variant, or anew.
import type { Typed } from "./workflow-form";
import { forget, type Seen } from "./workflow-preview";

export function start(element: HTMLElement): void {
  const frame = element.querySelector<HTMLIFrameElement>("iframe");
  const locale = element.querySelector<HTMLSelectElement>("[data-frame-locale]");
  const arms = element.querySelector<HTMLSelectElement>("[data-frame-arms]");
  const waits = element.querySelector<HTMLElement>("[data-frame-waits]");
  if (!frame || !locale) return;
  const show = () => {
    const query = new URLSearchParams({ locale: locale.value, arms: arms?.value ?? "" });
    frame.hidden = false;
    // A frame begun anew this way leaves no step in the browser's history.
    const address = `${frame.dataset.base}?${query}`;
    if (frame.contentWindow && frame.src) frame.contentWindow.location.replace(address);
    else frame.src = address;
  };
  const begin = () => {
    forget();
    show();
  };
  locale.addEventListener("change", begin);
  arms?.addEventListener("change", begin);
  element.querySelector("[data-frame-restart]")?.addEventListener("click", begin);
  document.addEventListener("leadline:typed", (event) => {
    const { part, form, isWell } = (event as CustomEvent<Typed>).detail;
    if (waits) waits.hidden = isWell;
    if (!isWell) return;
    (window as Seen).leadlineTyped = { part, form };
    show();
  });
}
