// Questions put into another order by dragging; the buttons beside them do the same.
import Sortable from "sortablejs";

export function start(list: HTMLElement): void {
  const form = document.getElementById(list.dataset.orderForm ?? "") as HTMLFormElement | null;
  const order = form?.querySelector<HTMLInputElement>("[name=order]");
  if (!form || !order) return;
  for (const grip of list.querySelectorAll<HTMLElement>(".grip")) grip.hidden = false;
  Sortable.create(list, {
    handle: ".grip",
    animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 120,
    onEnd: (event) => {
      if (event.oldIndex === event.newIndex) return;
      const items = [...list.querySelectorAll<HTMLElement>("[data-number]")];
      order.value = items.map((one) => one.dataset.number).join(",");
      form.requestSubmit();
    },
  });
}
