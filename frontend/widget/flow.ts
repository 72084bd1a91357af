// The conversation as a state machine: pure functions from state to state, no clock, no network.

import type { AnswerReply, Config, Question, Reask, Summary } from "./wire";
import type { Item } from "./storage";

export type Step =
  | "greeting"
  | "later"
  | "consent"
  | "declined"
  | "questions"
  | "products"
  | "contact"
  | "calls"
  | "summary"
  | "closed";

export interface Entry {
  /** Never given to a second entry, so that nothing is announced twice. */
  id: string;
  from: "bot" | "you";
  text: string;
  question?: number | undefined;
  waiting?: boolean;
}

export interface Given {
  text: string;
  skipped: boolean;
}

export interface State {
  phase: "asleep" | "starting" | "talking";
  step: Step;
  config: Config | null;
  entries: readonly Entry[];
  given: Readonly<Record<number, Given>>;
  /** What stood before an edit that the server has not judged yet. */
  before: Readonly<Record<number, Given>>;
  /** The question being changed, or the contact. */
  editing: number | "contact" | null;
  reask: (Reask & { question: number; typed: string; entry: string }) | null;
  contact: Readonly<Record<string, string>>;
  errors: Readonly<Record<string, string>>;
  clicked: readonly string[];
  consented: boolean;
  /** The bot is about to speak. */
  busy: boolean;
  /** The server cannot be reached, or asks us to wait. */
  isHeld: boolean;
  asksRestart: boolean;
  spoken: number;
}

export const CONTACT_FIELDS = ["name", "email", "phone"] as const;
const AFTER_QUESTIONS: readonly Step[] = ["products", "contact", "calls", "summary", "closed"];

export function asleep(): State {
  return {
    phase: "asleep",
    step: "greeting",
    config: null,
    entries: [],
    given: {},
    before: {},
    editing: null,
    reask: null,
    contact: {},
    errors: {},
    clicked: [],
    consented: false,
    busy: false,
    isHeld: false,
    asksRestart: false,
    spoken: 0,
  };
}

// Looking

export function questionOf(state: State, id: number): Question | null {
  return state.config?.questions.find((question) => question.id === id) ?? null;
}

/** The question the visitor answers now: the one being changed, else the first without answer. */
export function currentQuestion(state: State): Question | null {
  if (typeof state.editing === "number") return questionOf(state, state.editing);
  if (state.step !== "questions") return null;
  return state.config?.questions.find((question) => !(question.id in state.given)) ?? null;
}

export function progress(state: State): { done: number; total: number } {
  const questions = state.config?.questions ?? [];
  return {
    done: questions.filter((question) => question.id in state.given).length,
    total: questions.length,
  };
}

/** An answer in the visitor's language: the label of a value that the server keeps. */
export function labelled(question: Question | null, value: string): string {
  return question?.choices.find((choice) => choice.value === value)?.label ?? value;
}

/** Whether the visitor has agreed, where anybody has to. */
export function mayAskPersonal(state: State): boolean {
  const consent = state.config?.consent;
  return !consent || !consent.required || state.consented;
}

// Speaking

export function say(state: State, text: string, question?: number): State {
  if (!text) return state;
  return add(state, { from: "bot", text, question });
}

export function tell(state: State, text: string, question?: number): State {
  return add(state, { from: "you", text, question });
}

function add(state: State, entry: Omit<Entry, "id">): State {
  const spoken = state.spoken + 1;
  return { ...state, spoken, entries: [...state.entries, { ...entry, id: `m${spoken}` }] };
}

function patch(state: State, question: number, change: Partial<Entry>): State {
  const entries = state.entries.map((entry) =>
    entry.from === "you" && entry.question === question ? { ...entry, ...change } : entry,
  );
  return { ...state, entries };
}

/** The bot asks the current question, unless it stands there already. */
function ask(state: State): State {
  const question = currentQuestion(state);
  if (!question || state.editing !== null) return state;
  const asked = state.entries.some(
    (entry) => entry.from === "bot" && entry.question === question.id,
  );
  return asked ? state : say(state, question.text, question.id);
}

// Moving

export function begin(state: State, config: Config): State {
  const talking: State = { ...state, phase: "talking", config, step: "greeting" };
  const greeted = say(talking, config.greeting);
  return config.greeting_replies.length ? greeted : afterGreeting(greeted);
}

/** Consent first where the workflow has a text for it, then the questions. */
export function afterGreeting(state: State): State {
  const consent = state.config?.consent;
  if (consent && !state.consented) return say({ ...state, step: "consent" }, consent.text);
  return askNext({ ...state, step: "questions" });
}

export function askNext(state: State): State {
  if (state.step !== "questions") return state;
  return currentQuestion(state) ? ask(state) : after("questions", state);
}

/** The first step behind this one that the workflow fills. */
export function after(step: Step, state: State): State {
  const config = state.config as Config;
  if (step === "questions" && config.menu.products.length) {
    return say({ ...state, step: "products" }, config.menu.text);
  }
  if ((step === "questions" || step === "products") && asksContact(state)) {
    return say({ ...state, step: "contact" }, (config.contact as { text: string }).text);
  }
  if (step !== "calls" && config.calls.options.length) {
    return say({ ...state, step: "calls" }, config.calls.text);
  }
  return say({ ...state, step: "summary" }, config.words.summary);
}

/** On from the menu, having named what the visitor looked at. */
export function leftMenu(state: State): State {
  const chosen = (state.config as Config).menu.products.filter((product) =>
    state.clicked.includes(product.id),
  );
  const names = chosen.map((product) => product.name).join(", ");
  return names && state.step === "products" ? tell(state, names) : state;
}

function asksContact(state: State): boolean {
  return Boolean(state.config?.contact?.fields.length) && mayAskPersonal(state);
}

export function close(state: State): State {
  return say({ ...state, step: "closed", editing: null }, state.config?.closing ?? "");
}

// Answering

/** The visitor has sent an answer; what the server makes of it is not known yet. */
export function answered(state: State, question: number, text: string, skipped = false): State {
  const before = question in state.given ? { [question]: state.given[question] as Given } : {};
  const given = { ...state.given, [question]: { text, skipped } };
  const next: State = { ...state, given, before: { ...state.before, ...before }, reask: null };
  const wasAnswered = question in state.before || question in before;
  if (wasAnswered) return { ...patch(next, question, { text }), busy: true };
  return { ...tell(next, text, question), busy: true };
}

/** The server took the answer. */
export function accepted(state: State, reply: AnswerReply, changed: string, isLast = true): State {
  const question = reply.question_id;
  const wasEdit = question in state.before;
  const before = without(state.before, question);
  let next: State = patch({ ...state, before, busy: false }, question, { waiting: false });
  next = { ...next, editing: next.editing === question ? null : next.editing };
  if (wasEdit) next = say(next, changed);
  // With more answers under way, the last reply will know best what comes next.
  if (!isLast) return next;
  next = { ...next, config: followed(next, reply.next_question) };
  if (reply.next_question && AFTER_QUESTIONS.includes(next.step)) {
    next = { ...next, step: "questions" };
  }
  return askNext(next);
}

/** The questions as branching now shows them: the next one is in, what it passed over is out. */
function followed(state: State, upcoming: Question | null): Config {
  const config = state.config as Config;
  const known = upcoming ? config.questions.findIndex((one) => one.id === upcoming.id) : -1;
  const questions = config.questions.filter(
    (one, place) => one.id in state.given || (known >= 0 && place >= known),
  );
  if (upcoming && known < 0) {
    const last = questions.reduce((at, one, place) => (one.id in state.given ? place : at), -1);
    const rest = config.questions.filter((one) => !(one.id in state.given));
    questions.splice(last + 1, 0, upcoming, ...rest);
  }
  return { ...config, questions };
}

/** The server could not take the answer: the question is open again, with what it suggests. */
export function askedAgain(state: State, question: number, typed: string, reask: Reask): State {
  const was = state.before[question];
  const given = was
    ? { ...state.given, [question]: was }
    : without(state.given, question);
  // What was typed stays in the log, and is no answer any more.
  const entries = state.entries.map((entry) =>
    entry.from === "you" && entry.question === question && !was
      ? { ...entry, question: undefined, waiting: false }
      : entry,
  );
  let next: State = { ...state, entries, given, before: without(state.before, question) };
  if (was) next = patch(next, question, { text: was.text, waiting: false });
  const editing = was ? question : next.editing;
  const step = was ? next.step : "questions";
  next = { ...next, busy: false, step, editing, reask: { ...reask, question, typed, entry: `m${next.spoken + 1}` } };
  return say(next, reask.message);
}

/** The line is down: what was sent waits, and the visitor goes on with the next known question. */
export function held(state: State, waiting: ReadonlySet<number>): State {
  const entries = state.entries.map((entry) =>
    entry.from === "you" && entry.question !== undefined && waiting.has(entry.question)
      ? { ...entry, waiting: true }
      : entry,
  );
  const editing =
    typeof state.editing === "number" && waiting.has(state.editing) ? null : state.editing;
  const next: State = { ...state, entries, editing, isHeld: true, busy: false };
  return askNext(next);
}

// Coming back

export function resumed(
  state: State,
  config: Config,
  summary: Summary,
  saved: { step?: string | undefined; clicked?: string[] | undefined; skippedWord: string },
  queue: readonly Item[],
): State {
  let next: State = say({ ...state, phase: "talking", config }, config.greeting);
  next = {
    ...next,
    consented: state.consented || did(summary, "consent_given"),
    contact: { ...state.contact, ...contactOf(summary) },
    clicked: saved.clicked ?? [],
  };
  for (const answer of summary.answers) {
    const question = questionOf(next, answer.question_id);
    if (!question) continue;
    const text = answer.skipped ? saved.skippedWord : shownText(question, answer);
    next = recalled(next, question, { text, skipped: answer.skipped }, false);
  }
  for (const item of queue) {
    const question = questionOf(next, Number(item.body["question_id"]));
    if (!question || item.path !== "/api/answer") continue;
    const skipped = item.body["skip"] === true;
    next = recalled(next, question, { text: item.label ?? "", skipped }, true);
  }
  return backAt(next, stepNow(next, summary, saved.step));
}

function recalled(state: State, question: Question, given: Given, waiting: boolean): State {
  const all = { ...state.given, [question.id]: given };
  if (question.id in state.given) {
    const before = { ...state.before, [question.id]: state.given[question.id] as Given };
    return patch({ ...state, given: all, before }, question.id, { text: given.text, waiting });
  }
  const asked = say({ ...state, given: all }, question.text, question.id);
  return patch(tell(asked, given.text, question.id), question.id, { waiting });
}

function shownText(question: Question, answer: Summary["answers"][number]): string {
  const text = answer.answer_text ?? "";
  const labels = answer.options.map((value) => labelled(question, value));
  // Typed words under "Other" are shown as typed.
  return text === answer.options.join(", ") ? labels.join(", ") : text;
}

/** Name, e-mail and phone as the server knows them. */
export function contactOf(summary: Summary): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(summary.lead_data)) {
    if ((CONTACT_FIELDS as readonly string[]).includes(name) && typeof value === "string") {
      found[name] = value;
    }
  }
  return found;
}

function did(summary: Summary, action: string): boolean {
  return summary.behaviors.some((one) => one.action === action);
}

function stepNow(state: State, summary: Summary, saved: string | undefined): Step {
  if (summary.lead_data.closed) return "closed";
  const { done, total } = progress(state);
  const step = saved as Step | undefined;
  if (done < total) {
    if (!done && step && step !== "questions") return step;
    if (!done && !step && !did(summary, "replied_to_greeting")) return "greeting";
    // Who comes from a page without a script has not said here whether they agree.
    const agreed = step ? mayAskPersonal(state) : !state.config?.consent || state.consented;
    return agreed ? "questions" : "consent";
  }
  return step && AFTER_QUESTIONS.includes(step) ? step : "products";
}

function backAt(state: State, step: Step): State {
  const config = state.config as Config;
  const here: State = { ...state, step };
  if (step === "consent" || step === "declined") {
    return say({ ...here, step: "consent" }, config.consent?.text ?? "");
  }
  if (step === "questions") return askNext(here);
  if (step === "products") return after("questions", here);
  if (step === "contact") return after("products", here);
  if (step === "calls") return after("contact", here);
  if (step === "greeting" || step === "later") return here;
  return say(here, step === "closed" ? config.closing : config.words.summary);
}

/** What another tab of this visitor did meanwhile, without saying again what stands here. */
export function caughtUp(state: State, fresh: State): State {
  const entries = [...state.entries];
  let spoken = state.spoken;
  for (const entry of fresh.entries) {
    const at = entries.findIndex((one) => isSame(one, entry));
    if (at >= 0) entries[at] = { ...(entries[at] as Entry), text: entry.text };
    else entries.push({ ...entry, id: `m${++spoken}` });
  }
  return { ...fresh, entries, spoken, editing: null };
}

function isSame(one: Entry, other: Entry): boolean {
  if (one.from !== other.from) return false;
  if (other.question !== undefined) return one.question === other.question;
  return one.question === undefined && one.text === other.text;
}

function without<T>(record: Readonly<Record<number, T>>, key: number): Record<number, T> {
  const rest = { ...record };
  delete rest[key];
  return rest;
}
