import { expect, test } from "vitest";
import * as flow from "../widget/flow";
import type { AnswerReply, Config, Question, Summary } from "../widget/wire";

const question = (id: number, more: Partial<Question> = {}): Question => ({
  id,
  slug: `q${id}`,
  text: `Question ${id}?`,
  type: "text",
  step: id,
  required: true,
  choices: [],
  placeholder: "",
  help: "",
  min: null,
  max: null,
  ...more,
});

const config = (more: Partial<Config> = {}): Config =>
  ({
    greeting: "Hi!",
    greeting_replies: ["Yes", "No"],
    consent: { text: "May I?", version: "7", required: true },
    contact: { text: "Where?", fields: ["email"] },
    questions: [question(1), question(2)],
    menu: { text: "Look!", products: [{ id: "p", name: "P", description: "" }] },
    calls: { text: "And now?", options: [{ id: "c", label: "C", action: "cta_clicked" }] },
    closing: "Bye!",
    words: { summary: "Right?" },
    ...more,
  }) as Config;

const reply = (id: number, next: Question | null, accepted = true): AnswerReply => ({
  question_id: id,
  accepted,
  next_question: next,
  progress: { answered: id, skipped: 0, total: 2 },
  completed: next === null,
});

const said = (state: flow.State) => state.entries.map((entry) => `${entry.from}: ${entry.text}`);
const asking = (more: Partial<Config> = {}) =>
  flow.begin(flow.asleep(), config({ greeting_replies: [], consent: null, ...more }));
const give = (state: flow.State, id: number, text: string, next: Question | null) =>
  flow.accepted(flow.answered(state, id, text), reply(id, next), "Changed.");

test("the greeting comes first, then consent, then the questions", () => {
  const greeted = flow.begin(flow.asleep(), config());
  const consent = flow.afterGreeting(greeted);
  const asked = flow.askNext({ ...consent, consented: true, step: "questions" });

  expect([greeted.step, consent.step, asked.step]).toEqual(["greeting", "consent", "questions"]);
  expect(said(asked)).toEqual(["bot: Hi!", "bot: May I?", "bot: Question 1?"]);
});

test("parts that the workflow leaves out are passed over", () => {
  const bare = { menu: { text: "", products: [] }, calls: { text: "", options: [] }, contact: null };

  const end = give(give(asking(bare), 1, "a", question(2)), 2, "b", null);

  expect(end.step).toBe("summary");
});

test("behind the questions come the menu, the contact, the calls and the summary", () => {
  let state = give(give(asking(), 1, "a", question(2)), 2, "b", null);
  const steps = [state.step];
  for (let i = 0; i < 3; i++) {
    state = flow.after(state.step, state);
    steps.push(state.step);
  }

  expect(steps).toEqual(["products", "contact", "calls", "summary"]);
});

test("no contact is asked of who did not agree", () => {
  const state = flow.begin(flow.asleep(), config());

  expect(flow.after("products", { ...state, step: "products" }).step).toBe("calls");
});

test("a question is asked once, however often the state is looked at", () => {
  const state = flow.askNext(flow.askNext(flow.askNext(asking())));

  expect(said(state).filter((text) => text === "bot: Question 1?")).toHaveLength(1);
});

test("no two messages ever have the same name", () => {
  let state = give(asking(), 1, "a", question(2));
  state = flow.askedAgain(flow.answered(state, 2, "?"), 2, "?", { message: "Hm?", suggestions: [] });
  state = give(state, 2, "b", null);

  const names = state.entries.map((entry) => entry.id);
  expect(new Set(names).size).toBe(names.length);
});

test("an answer that cannot be taken opens its question again, what was typed beside it", () => {
  const reask = { message: "Did you mean X?", suggestions: ["X"] };

  const state = flow.askedAgain(flow.answered(asking(), 1, "xx"), 1, "xx", reask);

  expect(flow.currentQuestion(state)?.id).toBe(1);
  expect(state.reask).toMatchObject({ question: 1, typed: "xx", suggestions: ["X"] });
  expect(said(state)).toContain("you: xx");
  expect(state.entries.find((entry) => entry.id === state.reask?.entry)?.text).toBe(reask.message);
  // What comes then is a message of its own, and only it can be changed.
  const then = give(state, 1, "X", question(2));
  const mine = then.entries.filter((entry) => entry.from === "you");
  expect(mine.map(({ text, question }) => [text, question])).toEqual([["xx", undefined], ["X", 1]]);
});

test("a change replaces the answer in its place and goes back to where one was", () => {
  const at2 = give(asking(), 1, "a", question(2));

  const changed = give({ ...at2, editing: 1 }, 1, "z", question(2));

  expect(said(changed).filter((text) => text.startsWith("you"))).toEqual(["you: z"]);
  expect(flow.currentQuestion(changed)?.id).toBe(2);
  expect(changed.editing).toBeNull();
});

test("a change that is refused leaves what was", () => {
  const at2 = give(asking(), 1, "a", question(2));
  const sent = flow.answered({ ...at2, editing: 1 }, 1, "?");

  const back = flow.askedAgain(sent, 1, "?", { message: "Hm?", suggestions: [] });

  expect(back.given[1]?.text).toBe("a");
  expect(back.editing).toBe(1);
});

test("a question that branching opens comes in, one that it closes goes out", () => {
  const opened = give(asking(), 1, "a", question(9));
  expect(flow.currentQuestion(opened)?.id).toBe(9);
  expect(flow.progress(opened)).toEqual({ done: 1, total: 3 });

  const closed = give(asking({ questions: [1, 2, 3].map((id) => question(id)) }), 1, "a", question(3));
  expect(flow.progress(closed)).toEqual({ done: 1, total: 2 });
});

test("a change at the end that opens a question leads back to it", () => {
  const end = give(give(asking(), 1, "a", question(2)), 2, "b", null);

  const back = give({ ...end, editing: 1 }, 1, "z", question(9));

  expect(back.step).toBe("questions");
  expect(flow.currentQuestion(back)?.id).toBe(9);
});

test("while the line is down the visitor goes on, and sees what waits", () => {
  const state = flow.held(flow.answered(asking(), 1, "a"), new Set([1]));

  expect(flow.currentQuestion(state)?.id).toBe(2);
  expect(state.entries.find((entry) => entry.question === 1 && entry.from === "you")?.waiting).toBe(true);
});

test("when the line is back the marks go, and nothing is asked twice", () => {
  let state = flow.held(flow.answered(asking(), 1, "a"), new Set([1]));
  state = flow.held(flow.answered(state, 2, "b"), new Set([1, 2]));
  state = flow.accepted(state, reply(1, question(2)), "", false);
  state = flow.accepted(state, reply(2, null), "", true);

  expect(state.entries.some((entry) => entry.waiting)).toBe(false);
  expect(said(state).filter((text) => text.startsWith("bot: Question"))).toHaveLength(2);
  expect(state.step).toBe("products");
});

const summary = (answers: [number, string][], more: object = {}): Summary => ({
  lead_data: { closed: false, completed: false, name: "Ada", lead_score: 5, ...more },
  behaviors: [{ action: "consent_given" }],
  answers: answers.map(([question_id, answer_text]) => ({
    question_id,
    answer_text,
    options: [],
    skipped: false,
  })),
});

test("coming back shows what was said and asks what is open", () => {
  const state = flow.resumed(flow.asleep(), config(), summary([[1, "a"]]), { skippedWord: "-" }, []);

  expect(said(state)).toEqual(["bot: Hi!", "bot: Question 1?", "you: a", "bot: Question 2?"]);
  expect(state.contact).toEqual({ name: "Ada" });
});

test("coming back shows what still waits to be sent", () => {
  const queue = [{ key: "k", session: "s", path: "/api/answer", body: { question_id: 2 }, label: "b" }];

  const state = flow.resumed(flow.asleep(), config(), summary([[1, "a"]]), { skippedWord: "-" }, queue);

  expect(state.entries.find((entry) => entry.text === "b")?.waiting).toBe(true);
});

test("coming back to a closed conversation shows its end", () => {
  const done = summary([[1, "a"], [2, "b"]], { closed: true });

  const state = flow.resumed(flow.asleep(), config(), done, { skippedWord: "-" }, []);

  expect(state.step).toBe("closed");
});

test("what another tab did is added, and nothing that stands here is said again", () => {
  const here = asking();
  const there = flow.resumed(
    flow.asleep(),
    here.config as Config,
    summary([[1, "a"]]),
    { step: "questions", skippedWord: "-" },
    [],
  );

  const state = flow.caughtUp(here, there);

  expect(said(state)).toEqual(["bot: Hi!", "bot: Question 1?", "you: a", "bot: Question 2?"]);
  expect(state.entries.slice(0, 2).map((one) => one.id)).toEqual(here.entries.map((one) => one.id));
});
