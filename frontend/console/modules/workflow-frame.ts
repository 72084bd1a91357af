// The frame that holds the preview: begins it anew, in another language or with another variant.
export function start(element: HTMLElement): void {
  const frame = element.querySelector<HTMLIFrameElement>("iframe");
  const locale = element.querySelector<HTMLSelectElement>("[data-frame-locale]");
  const arms = element.querySelector<HTMLSelectElement>("[data-frame-arms]");
  if (!frame || !locale) return;
  const begin = () => {
    const query = new URLSearchParams({ locale: locale.value, arms: arms?.value ?? "" });
    frame.src = `${frame.dataset.base}?${query}`;
  };
  locale.addEventListener("change", begin);
  arms?.addEventListener("change", begin);
  element.querySelector("[data-frame-restart]")?.addEventListener("click", begin);
}
