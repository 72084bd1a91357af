// The board: cards that are dragged, or moved by arrow key; what others move shows by itself.
import Sortable, { type SortableEvent } from "sortablejs";

import { send } from "../answers";

interface Move {
  card: HTMLElement;
  from: HTMLElement;
  to: HTMLElement;
  /** What the card goes back before when the server says no. */
  home: Element | null;
}

/** Makes the cards of a board movable and keeps it up to date. */
export function start(board: HTMLElement): void {
  new Board(board);
}

class Board {
  private busy = 0;
  private etag = "";
  private asked = 0;
  private readonly says = document.getElementById("board-says");

  constructor(private readonly element: HTMLElement) {
    this.wire();
    element.addEventListener("keydown", (event) => this.onKey(event));
    element.addEventListener("submit", (event) => this.onForm(event));
    document.addEventListener("visibilitychange", () => void this.refresh());
    window.setInterval(() => void this.refresh(), Number(element.dataset.poll) * 1000);
  }

  private get lanes(): HTMLElement[] {
    return [...this.element.querySelectorAll<HTMLElement>(".lane")];
  }

  private wire(): void {
    if (!this.element.querySelector(".grip")) return;
    const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const lane of this.lanes) {
      Sortable.create(lane.querySelector<HTMLElement>("[data-cards]")!, {
        group: { name: "board", put: !("strange" in lane.dataset) },
        sort: false,
        draggable: ".deal",
        filter: "a, summary, select, input, .move button",
        preventOnFilter: false,
        animation: isStill ? 0 : 150,
        // A finger that scrolls must not pick up a card.
        delay: 200,
        delayOnTouchOnly: true,
        onStart: () => void this.busy++,
        onEnd: (event) => void this.onDrop(event),
      });
    }
  }

  private async onDrop(event: SortableEvent): Promise<void> {
    this.busy--;
    const from = event.from.closest<HTMLElement>(".lane");
    const to = event.to.closest<HTMLElement>(".lane");
    if (!from || !to || from === to) return;
    const home = event.from.querySelectorAll(":scope > .deal")[event.oldDraggableIndex ?? 0] ?? null;
    await this.move({ card: event.item, from, to, home });
  }

  private onKey(event: KeyboardEvent): void {
    const grip = (event.target as Element).closest<HTMLElement>(".grip");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const card = grip?.closest<HTMLElement>(".deal");
    const from = grip?.closest<HTMLElement>(".lane");
    if (!card || !from || !step) return;
    event.preventDefault();
    if (this.busy) return;
    const to = this.lanes[this.lanes.indexOf(from) + step];
    if (to && !("strange" in to.dataset)) void this.moveByHand(card, from, to);
    else this.say(`There is no stage ${step < 0 ? "before" : "after"} ${from.dataset.stage}.`);
  }

  private onForm(event: SubmitEvent): void {
    const form = event.target as HTMLFormElement;
    const card = form.closest<HTMLElement>(".deal");
    const from = form.closest<HTMLElement>(".lane");
    const wanted = form.querySelector<HTMLSelectElement>("select")?.value;
    const to = this.lanes.find((lane) => lane.dataset.stage === wanted);
    if (!card || !from || !to) return;
    event.preventDefault();
    const value = form.querySelector<HTMLInputElement>("[name=value]")?.value ?? "";
    form.closest("details")?.removeAttribute("open");
    void this.moveByHand(card, from, to, value);
  }

  /** A move without a drag: the card goes to the top of the lane, the focus with it. */
  private async moveByHand(card: HTMLElement, from: HTMLElement, to: HTMLElement, value?: string): Promise<void> {
    const home = card.nextElementSibling;
    to.querySelector("[data-cards]")?.prepend(card);
    card.querySelector<HTMLElement>(".grip")?.focus();
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
    await this.move({ card, from, to, home }, value);
  }

  private async move(move: Move, told?: string): Promise<void> {
    const { card, from, to } = move;
    const name = card.dataset.name ?? "The lead";
    this.busy++;
    const ends = to.dataset.kind !== "open" && to.dataset.kind !== from.dataset.kind;
    const value = ends && told === undefined ? await askValue(name, to) : (told ?? "");
    const form = { to: to.dataset.stage ?? "", expected: from.dataset.stage ?? "", value: value ?? "" };
    const isTaken = value !== null && (await send(`/console/board/${card.dataset.lead}/move`, form));
    if (!isTaken) putBack(move);
    this.say(isTaken ? `${name} is now in ${to.dataset.stage}.` : `${name} is back in ${from.dataset.stage}.`);
    this.busy--;
    await this.refresh();
  }

  private get isInUse(): boolean {
    return this.busy > 0 || document.hidden || !!this.element.querySelector(".move[open]");
  }

  /** Shows what changed meanwhile, unless somebody has a card in hand. */
  private async refresh(): Promise<void> {
    if (this.isInUse || !this.element.isConnected) return;
    const turn = ++this.asked;
    const reply = await this.ask();
    if (reply?.status !== 200) return;
    const page = await reply.text();
    // What a later question, or a card picked up meanwhile, has overtaken is old.
    if (turn !== this.asked || this.isInUse) return;
    this.etag = reply.headers.get("ETag") ?? "";
    this.replace(page);
  }

  private async ask(): Promise<Response | null> {
    const headers: Record<string, string> = { "HX-Request": "true" };
    if (this.etag) headers["If-None-Match"] = this.etag;
    try {
      const reply = await fetch(this.element.dataset.url ?? "", { headers, cache: "no-store" });
      const elsewhere = reply.headers.get("HX-Redirect");
      if (elsewhere) window.location.assign(elsewhere);
      return reply;
    } catch {
      // The next question may be heard again; what was last seen stays.
      return null;
    }
  }

  private replace(page: string): void {
    const focused = this.element.contains(document.activeElement) ? document.activeElement?.id : "";
    this.element.replaceChildren(...new DOMParser().parseFromString(page, "text/html").body.childNodes);
    this.wire();
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  private say(text: string): void {
    if (this.says) this.says.textContent = text;
  }
}

function putBack({ card, from, home }: Move): void {
  const list = from.querySelector("[data-cards]");
  if (home && home.parentElement === list) home.before(card);
  else list?.append(card);
}

/** What the deal was worth; null for "leave it where it was". */
function askValue(name: string, to: HTMLElement): Promise<string | null> {
  const dialog = document.getElementById("board-outcome") as HTMLDialogElement;
  const field = dialog.querySelector<HTMLInputElement>("input")!;
  dialog.querySelector("h2")!.textContent = `${name}: ${to.dataset.stage} (${to.dataset.kind})`;
  field.value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    const answer = () => resolve(dialog.returnValue === "yes" ? field.value : null);
    dialog.addEventListener("close", answer, { once: true });
  });
}
