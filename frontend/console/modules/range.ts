// Shows the two dates only where they count.
export function start(element: HTMLElement): void {
  const preset = element.querySelector<HTMLSelectElement>("select[name=range]");
  if (!preset) return;
  const show = () => {
    for (const field of element.querySelectorAll<HTMLElement>("[data-custom]")) {
      field.hidden = preset.value !== "custom";
      for (const input of field.querySelectorAll("input")) input.disabled = field.hidden;
    }
  };
  preset.addEventListener("change", show);
  show();
}
