import { expect, test } from "vitest";
import { retryAfter, type Outcome } from "../widget/api";
import { Outbox } from "../widget/outbox";
import { Box, type Item } from "../widget/storage";
import { shelf } from "./shelf";

const OK: Outcome = { kind: "ok", body: {} };
const LOST: Outcome = { kind: "wait", seconds: null };
const busy = (seconds: number): Outcome => ({ kind: "wait", seconds });
const item = (key: string, session = "s"): Item => ({ key, session, path: "/api/answer", body: {} });

/** A server that answers as it is told, a clock that stands, and timers that are run by hand. */
function world(...replies: Outcome[]) {
  const sent: string[] = [];
  const settled: string[] = [];
  const timers: { work: () => void; milliseconds: number }[] = [];
  const stalled: number[] = [];
  const clock = { now: 1_000_000 };
  const box = new Box(shelf(), "k");
  const wires = {
    send: (one: Item) => {
      sent.push(one.key);
      return Promise.resolve(replies.shift() ?? OK);
    },
    settled: (one: Item) => void settled.push(one.key),
    stalled: (seconds: number) => void stalled.push(seconds),
    now: () => clock.now,
    later: (work: () => void, milliseconds: number) => timers.push({ work, milliseconds }),
    exclusively: (work: () => Promise<void>) => work(),
  };
  return { box, wires, sent, settled, timers, stalled, clock, outbox: new Outbox(box, wires) };
}

const turns = async () => {
  for (let i = 0; i < 30; i++) await Promise.resolve();
};

test("what is added is sent in order, each once", async () => {
  const { outbox, sent, settled } = world();

  for (const key of ["a", "b", "c"]) outbox.add(item(key));
  await turns();

  expect(sent).toEqual(["a", "b", "c"]);
  expect(settled).toEqual(["a", "b", "c"]);
  expect(outbox.items).toEqual([]);
});

test("while the line is down everything waits, and goes out in order under the same keys", async () => {
  const { outbox, sent, settled, timers } = world(LOST, LOST);
  outbox.add(item("a"));
  await turns();
  outbox.add(item("b"));
  await turns();
  expect(settled).toEqual([]);

  timers[0]?.work();
  await turns();

  expect(settled).toEqual(["a", "b"]);
  expect(sent.filter((key) => key === "b")).toHaveLength(1);
});

test("the server's Retry-After is heeded, by a page that comes later too", async () => {
  const { box, wires, outbox, sent, timers, clock } = world(busy(30));
  outbox.add(item("a"));
  await turns();
  expect(timers[0]?.milliseconds).toBe(30_000);

  const next = new Outbox(box, wires);
  clock.now += 10_000;
  await next.pump();
  expect(sent).toEqual(["a"]);

  clock.now += 20_000;
  await next.pump();
  expect(sent).toEqual(["a", "a"]);
  expect(outbox.items).toEqual([]);
});

test("without a word from the server pauses grow", async () => {
  const { outbox, timers } = world(LOST, LOST, LOST);
  outbox.add(item("a"));
  await turns();
  timers[0]?.work();
  await turns();
  timers[1]?.work();
  await turns();

  expect(timers.map((one) => one.milliseconds)).toEqual([1000, 2000, 4000]);
});

test("a refusal is final, and what stands behind it goes on", async () => {
  const no: Outcome = { kind: "refused", status: 409, code: "x", message: "", fields: {} };
  const { outbox, settled } = world(no);

  outbox.add(item("a"));
  outbox.add(item("b"));
  await turns();

  expect(settled).toEqual(["a", "b"]);
});

test("only what belongs to a dead session is forgotten", async () => {
  const { outbox } = world(busy(60));
  outbox.add(item("a", "dead"));
  outbox.add(item("b", "alive"));
  await turns();

  outbox.drop("dead");

  expect(outbox.items.map((one) => one.key)).toEqual(["b"]);
});

test("each acknowledged item tells the other tabs to look", async () => {
  const { outbox, box } = world();

  outbox.add(item("a"));
  outbox.add(item("b"));
  await turns();

  expect(box.read().revision).toBe(2);
});

test.each([
  ["7", 7],
  ["99999", 3600],
  [null, null],
  ["soon", null],
  ["-1", null],
])("Retry-After: %s means %s seconds", (header, seconds) => {
  expect(retryAfter(header)).toBe(seconds);
});
