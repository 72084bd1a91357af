// Draws the table inside an element as a curve; the table stays as its text.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const HEIGHT = 220;
const COLOURS = ["--accent", "--good", "--quiet", "--warm"];
// So that a curve is known without its colour.
const DASHES: number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const MARKS = ["solid", "dashed", "dotted", "double"];

interface Data {
  labels: string[];
  days: string[];
  columns: number[][];
}

function read(table: HTMLTableElement): Data {
  const labels = [...table.tHead!.rows[0]!.cells].slice(1).map((cell) => cell.textContent!.trim());
  const rows = [...table.tBodies[0]!.rows];
  const days = rows.map((row) => row.cells[0]!.textContent!.trim());
  const columns = labels.map((_, place) =>
    rows.map((row) => Number(row.cells[place + 1]!.textContent!.replace(/[^\d.-]/g, "")) || 0),
  );
  return { labels, days, columns };
}

function shortDay(seconds: number): string {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw(place: HTMLElement, { labels, days, columns }: Data): uPlot {
  const ink = token("--quiet");
  const line = token("--line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const options: uPlot.Options = {
    width: Math.max(place.clientWidth, 200),
    height: HEIGHT,
    // The day itself, wherever the reader is: the server has counted in the reader's zone.
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    series: [
      { value: (_, seconds) => (seconds === null ? "–" : new Date(seconds * 1000).toISOString().slice(0, 10)), label: "Day" },
      ...labels.map((label, place) => ({
        label,
        stroke: token(COLOURS[place % COLOURS.length]!),
        width: 2,
        dash: DASHES[place % DASHES.length]!,
        points: { show: days.length < 3 },
      })),
    ],
    axes: [{ ...axis, values: (_, days) => days.map(shortDay) }, { ...axis, size: 45 }],
    legend: { markers: { dash: (_, place) => MARKS[(place - 1) % MARKS.length]! } },
    scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
  };
  const x = days.map((day) => Date.parse(`${day}T00:00:00Z`) / 1000);
  return new uPlot(options, [x, ...columns], place);
}

export function start(element: HTMLElement): void {
  const table = element.querySelector("table");
  const place = element.querySelector<HTMLElement>(".chart-place");
  if (!table || !place || !table.tBodies[0]?.rows.length) return;
  const data = read(table);
  let plot = draw(place, data);
  const again = () => {
    plot.destroy();
    plot = draw(place, data);
  };
  new ResizeObserver(() => plot.setSize({ width: Math.max(place.clientWidth, 200), height: HEIGHT })).observe(place);
  // Another theme has other colours.
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}
