// The calendar: month, week, day and list; an entry is dragged to another moment.
import { Calendar, type EventClickArg, type EventDropArg } from "@fullcalendar/core";
import dayGridPlugin from "@fullcalendar/daygrid";
import interactionPlugin from "@fullcalendar/interaction";
import listPlugin from "@fullcalendar/list";
import timeGridPlugin from "@fullcalendar/timegrid";

import { send } from "../answers";

const NARROW = "(max-width: 48rem)";
const WALL_CLOCK = 16;
// Which hours of a day are drawn, unless something is planned at another one.
const FIRST_HOUR = 6;
const LAST_HOUR = 22;

/** Draws the calendar. All times are the reader's wall clock, which the server turns into moments. */
export function start(element: HTMLElement): void {
  element.hidden = false;
  const opened = performance.now();
  const noon = Date.parse(`${element.dataset.now}Z`);
  const isNarrow = window.matchMedia(NARROW).matches;
  const calendar = new Calendar(element, {
    plugins: [dayGridPlugin, timeGridPlugin, listPlugin, interactionPlugin],
    // No zone of the browser's: it may be in another one than the reader has chosen.
    timeZone: "UTC",
    // Days before months, as everywhere else on these pages.
    locale: "en-GB",
    now: () => new Date(noon + performance.now() - opened).toISOString().slice(0, 19),
    initialView: isNarrow ? "listWeek" : "dayGridMonth",
    headerToolbar: {
      left: "prev,next today",
      center: "title",
      right: "dayGridMonth,timeGridWeek,timeGridDay,listWeek",
    },
    // Its icons are letters of a font, which a screen reader reads out; so is that of its window.
    buttonIcons: false,
    buttonText: { prev: "‹", next: "›", today: "Today", month: "Month", week: "Week", day: "Day", list: "List" },
    firstDay: 1,
    height: "auto",
    nowIndicator: true,
    // How many more there are stands behind the entries of a crowded day, told by the server.
    eventOrder: "start,rank,title",
    scrollTime: "08:00:00",
    slotMinTime: hour(FIRST_HOUR),
    slotMaxTime: hour(LAST_HOUR),
    slotEventOverlap: false,
    allDaySlot: false,
    defaultTimedEventDuration: "00:30",
    eventDurationEditable: false,
    eventTimeFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
    slotLabelFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
    noEventsText: "Nothing is planned here.",
    // A month holds the first entries of a day only; its day must be asked for.
    lazyFetching: false,
    events: (wanted, show, fail) => void load(element, wanted.startStr, wanted.endStr).then(show, fail),
    eventsSet: (events) => drawHours(calendar, events),
    eventDidMount: ({ event, el }) => {
      if (event.extendedProps.note) el.title = String(event.extendedProps.note);
    },
    eventClick: (clicked) => showDay(calendar, clicked),
    eventDrop: (dropped) => void move(dropped),
    dateClick: ({ dateStr }) => open(element.dataset.new, dateStr),
  });
  calendar.render();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) calendar.refetchEvents();
  });
}

function hour(number: number): string {
  return `${String(number).padStart(2, "0")}:00:00`;
}

/** As many hours as the entries need: one at eleven at night must not be out of sight. */
function drawHours(calendar: Calendar, events: { start: Date | null }[]): void {
  const hours = events.flatMap((one) => (one.start ? [one.start.getUTCHours()] : []));
  const wanted = {
    slotMinTime: hour(Math.min(FIRST_HOUR, ...hours)),
    slotMaxTime: hour(Math.max(LAST_HOUR, ...hours.map((one) => one + 1))),
  };
  for (const name of ["slotMinTime", "slotMaxTime"] as const) {
    if (calendar.getOption(name) !== wanted[name]) calendar.setOption(name, wanted[name]);
  }
}

async function load(element: HTMLElement, start: string, end: string): Promise<object[]> {
  const query = new URLSearchParams({ start, end });
  const reply = await fetch(`${element.dataset.events}&${query}`, { headers: { "HX-Request": "true" } });
  const elsewhere = reply.headers.get("HX-Redirect");
  if (elsewhere) window.location.assign(elsewhere);
  if (!reply.ok) throw new Error("no entries");
  return (await reply.json()) as object[];
}

/** All entries of a crowded day as a list; where that is cut as well, the page below shows them. */
function showDay(calendar: Calendar, { event, view, jsEvent }: EventClickArg): void {
  if (!event.extendedProps.rank || view.type === "listDay" || !event.start) return;
  jsEvent.preventDefault();
  calendar.changeView("listDay", event.start);
}

async function move({ event, revert }: EventDropArg): Promise<void> {
  const isTaken = await send(`${event.url}/move`, { due_at: event.startStr.slice(0, WALL_CLOCK) });
  if (!isTaken) revert();
}

function open(path: string | undefined, day: string): void {
  if (path) window.location.assign(`${path}?${new URLSearchParams({ at: day.slice(0, WALL_CLOCK) })}`);
}
