// How a lead's scores went: one stepped curve a score, in the reader's own zone; the table beside it
// says the same.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const HEIGHT = 220;
const COLOURS = ["--accent", "--good", "--warm", "--cold"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

interface Curve {
  name: string;
  points: [number, number][];
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** All curves on one axis of moments: each keeps its value until its next one. */
function table(curves: Curve[]): uPlot.AlignedData {
  const moments = [...new Set(curves.flatMap((curve) => curve.points.map(([at]) => at)))].sort((a, b) => a - b);
  moments.push(Math.max(Date.now() / 1000, moments.at(-1) ?? 0));
  const columns = curves.map((curve) => {
    let last: number | null = null;
    let place = 0;
    return moments.map((at) => {
      while (place < curve.points.length && curve.points[place]![0] <= at) last = curve.points[place++]![1];
      return last;
    });
  });
  return [moments, ...columns] as uPlot.AlignedData;
}

function draw(element: HTMLElement, curves: Curve[], zone: string): uPlot {
  const line = token("--line");
  const axis = { stroke: token("--quiet"), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const steps = uPlot.paths.stepped?.({ align: 1 });
  const options: uPlot.Options = {
    width: Math.max(element.clientWidth, 200),
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    series: [
      {},
      ...curves.map((curve, place) => ({
        label: curve.name,
        stroke: token(COLOURS[place % COLOURS.length]!),
        width: 2,
        dash: DASHES[place % DASHES.length]!,
        ...(steps ? { paths: steps } : {}),
        points: { show: true, size: 5 },
      })),
    ],
    axes: [axis, { ...axis, size: 45 }],
    scales: { y: { range: (_, least, most) => [Math.min(0, least), Math.max(100, most)] } },
  };
  return new uPlot(options, table(curves), element);
}

export function start(element: HTMLElement): void {
  const curves = JSON.parse(element.dataset.series ?? "[]") as Curve[];
  if (!curves.length) return;
  const zone = element.dataset.zone ?? "Etc/UTC";
  let plot = draw(element, curves, zone);
  const again = () => {
    plot.destroy();
    plot = draw(element, curves, zone);
  };
  new ResizeObserver(() => plot.setSize({ width: Math.max(element.clientWidth, 200), height: HEIGHT })).observe(element);
  // Another theme has other colours.
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
