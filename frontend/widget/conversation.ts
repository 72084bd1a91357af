// One visitor's conversation: what they do becomes calls, and what the server says becomes state.

import { call, type Outcome } from "./api";
import * as flow from "./flow";
import type { State } from "./flow";
import type { Host } from "./host";
import { exclusively, Outbox } from "./outbox";
import { randomKey, type Box, type Item, type Saved } from "./storage";
import type { AnswerReply, Config, Summary } from "./wire";
import { firstWords, type Words } from "./words";

export interface Surroundings {
  base: string;
  /** The conversation that the page already holds, and the token to read it. */
  held: { session?: string; token?: string };
  box: Box;
  host: Host;
  locale: string;
  /** How the visitor came: UTM values, referrer, landing page. */
  visit: Record<string, string>;
  /** How long the bot seems to type; 0 where less motion is wished for. */
  typing: () => number;
  changed: () => void;
}

const LONGEST_PAUSE = 30;

export class Conversation {
  state: State = flow.asleep();
  words: Words = firstWords();
  /** The calling code of each country, once a phone was asked for. */
  codes: Record<string, string> | undefined;
  /** The country that the visitor chose for numbers that name none. */
  region = "";
  private outbox: Outbox;
  private lock: (work: () => Promise<void>) => Promise<void>;
  private person: Record<string, string> = {};
  private shown: { question: number | undefined; at: number } = { question: undefined, at: 0 };
  private revision = 0;
  private session: string | undefined;
  private catching = false;

  constructor(private around: Surroundings) {
    const { session, token } = around.held;
    if (session) {
      around.box.update((saved) => {
        if (saved.session !== session) clear(saved);
        Object.assign(saved, { session, token });
      });
    }
    this.lock = exclusively(`${around.box.key}:start`);
    this.outbox = new Outbox(around.box, {
      send: (item) =>
        call(around.base, item.path, {
          method: "POST",
          key: item.key,
          body: { ...item.body, session_id: item.session },
        }),
      settled: (item, outcome) => void this.settled(item, outcome),
      stalled: () => this.stalled(),
      now: Date.now,
      later: (work, milliseconds) => setTimeout(work, milliseconds),
      exclusively: exclusively(`${around.box.key}:send`),
    });
    this.revision = around.box.read().revision ?? 0;
    addEventListener("online", () => void this.outbox.pump());
    addEventListener("storage", (event) => {
      if (event.key === around.box.key) this.otherTab();
    });
    void this.outbox.pump();
  }

  // Beginning and coming back

  /** Starts a conversation, or goes on with the one this visitor had; does nothing when awake. */
  async wake(): Promise<void> {
    if (this.state.phase !== "asleep") return;
    this.put({ phase: "starting", busy: true });
    for (let tries = 0; ; tries++) {
      let pause: number | null = null;
      await this.lock(async () => {
        pause = await this.connect();
      });
      if (pause === null) return;
      if (pause) this.put({ isHeld: true });
      await online(pause < 0 ? Math.min(2 ** tries, LONGEST_PAUSE) : pause);
    }
  }

  /** Null when the conversation stands; else the seconds to wait, below 0 when nobody said. */
  private async connect(): Promise<number | null> {
    const known = this.around.box.read().session;
    const failed = known ? null : await this.start();
    if (failed !== null) return failed;
    const { session, revision } = this.around.box.read() as { session: string; revision?: number };
    this.session = session;
    const [config, summary] = await Promise.all([
      this.fetchConfig(session),
      known ? this.fetchSummary(session) : null,
    ]);
    for (const reply of [config, summary]) {
      if (reply?.kind === "wait") return reply.seconds ?? -1;
      if (reply?.kind === "refused") return this.forget(session);
    }
    // What waited was sent meanwhile: the summary may be from before it, and the queue is empty.
    if (revision !== this.around.box.read().revision) return this.connect();
    this.greet((config as { body: Config }).body, (summary as { body: Summary } | null)?.body);
    return null;
  }

  private async start(): Promise<number | null> {
    const { box, base, locale, visit } = this.around;
    const saved = box.update((one) => {
      one.starting ??= randomKey();
      one.visitor ??= randomKey();
    });
    const body = { ...visit, locale, visitor_id: saved.visitor, surface: "widget" };
    const key = saved.starting as string;
    const outcome = await call(base, "/api/session/start", { method: "POST", key, body });
    if (outcome.kind === "wait") return outcome.seconds ?? -1;
    box.update((one) => {
      // A key that was used with another page's address is of no use any more.
      clear(one);
      if (outcome.kind === "ok") {
        one.session = outcome.body.session_id;
        one.token = outcome.body.visitor_token;
      }
    });
    return outcome.kind === "ok" ? null : -1;
  }

  private greet(config: Config, summary: Summary | undefined): void {
    this.words = config.words;
    const saved = this.around.box.read();
    const fresh: State = { ...this.state, busy: false, isHeld: false };
    fresh.contact = { ...this.person, ...fresh.contact };
    const next = summary
      ? flow.resumed(fresh, config, summary, this.memory(saved), saved.queue ?? [])
      : flow.begin(fresh, config);
    this.set(next);
    this.introduce();
    void this.outbox.pump();
  }

  private memory(saved: Saved): Parameters<typeof flow.resumed>[3] {
    return { step: saved.step, clicked: saved.clicked, skippedWord: this.words.skipped };
  }

  /** The session is no more (deleted, or the token too old): the next one starts at once. */
  private forget(session: string): number {
    this.outbox.drop(session);
    this.around.box.update((saved) => {
      if (saved.session === session) clear(saved);
    });
    this.state = flow.say(this.state, this.words.ended);
    return 0;
  }

  restart(): void {
    // A page that holds the conversation holds the next one too: reloaded, it shows the same.
    const form = document.querySelector<HTMLFormElement>("form[data-leadline-again]");
    if (form) return form.submit();
    this.around.box.update((saved) => {
      clear(saved);
      saved.revision = (saved.revision ?? 0) + 1;
    });
    this.revision++;
    // Numbering goes on, so that no new message takes the place of an old one.
    this.set({ ...flow.asleep(), spoken: this.state.spoken });
    void this.wake();
  }

  askRestart(asks: boolean): void {
    this.put({ asksRestart: asks });
  }

  // What the visitor does

  reply(label: string, goesOn: boolean): void {
    this.behave("replied_to_greeting");
    this.set(flow.tell(this.state, label));
    this.soon((state) =>
      goesOn ? flow.afterGreeting(state) : flow.say({ ...state, step: "later" }, this.words.later),
    );
  }

  goOn(): void {
    this.soon(flow.afterGreeting);
  }

  consent(agrees: boolean): void {
    const { consent } = this.state.config as Config;
    if (!consent) return;
    const label = agrees ? this.words.agree : this.words.disagree;
    this.set({ ...flow.tell(this.state, label), consented: agrees });
    if (agrees) {
      this.behave("consent_given", { text_version: consent.version });
      this.introduce();
    }
    this.soon((state) =>
      agrees || !consent.required
        ? flow.askNext({ ...state, step: "questions" })
        : flow.say({ ...state, step: "declined" }, this.words.declined),
    );
  }

  answer(question: number, value: string | string[], label: string): void {
    this.send("/api/answer", { question_id: question, answer_text: value, ...this.time() }, label);
    this.set(flow.answered(this.state, question, label));
  }

  skip(question: number): void {
    const label = this.words.skipped;
    this.send("/api/answer", { question_id: question, skip: true, ...this.time() }, label);
    this.set(flow.answered(this.state, question, label, true));
  }

  edit(what: number | "contact" | null): void {
    this.put({ editing: what, reask: null, errors: {} });
  }

  product(id: string): void {
    if (!this.state.clicked.includes(id)) this.behave("clicked_product", { product: id });
    this.put({ clicked: [...new Set([...this.state.clicked, id])] });
  }

  /** On from a step that needs nothing more. */
  leave(): void {
    const step = this.state.step;
    this.set(flow.leftMenu(this.state));
    this.soon((state) => flow.after(step, state));
  }

  /** A number with the code of the chosen country, unless it names its own. */
  dialled(number: string): string {
    const chosen = this.codes?.[this.region];
    return chosen && /^(?!00)[\d(]/.test(number) ? `${chosen} ${number}` : number;
  }

  /** Fetches the codes of all countries, once. */
  fetchCodes(): void {
    if (this.codes) return;
    this.codes = {};
    void call(this.around.base, "/widget/countries.json").then((reply) => {
      if (reply.kind !== "ok") return;
      this.codes = reply.body as Record<string, string>;
      this.around.changed();
    });
  }

  giveContact(values: Record<string, string>, honeypot: string): void {
    const contact = { ...this.state.contact, ...values };
    const filled = Object.fromEntries(Object.entries(values).filter(([, value]) => value));
    this.put({ contact, errors: {}, busy: true });
    this.send("/api/lead/profile", { profile_data: filled, ...(honeypot && { honeypot }) });
  }

  refuseContact(errors: Record<string, string>): void {
    this.put({ errors });
  }

  callToAction(id: string, label: string, action: string): void {
    const isDemo = action === "demo_requested";
    if (isDemo) this.behave("clicked_demo");
    else this.behave("cta_clicked", { cta: id });
    this.set(flow.tell(this.state, label));
    this.soon((state) => flow.after("calls", flow.say(state, this.words.thanks)));
  }

  confirm(): void {
    this.behave("confirmed_summary");
    this.soon(flow.close);
  }

  /** The page knows who this is: nothing known is asked again. */
  identify(person: Record<string, unknown>): void {
    for (const name of flow.CONTACT_FIELDS) {
      const value = person[name];
      if (typeof value === "string" && value.trim()) this.person[name] = value.trim().slice(0, 200);
    }
    this.put({ contact: { ...this.state.contact, ...this.person } });
    this.introduce();
  }

  /** Sends what the page said of the visitor, once they agreed to being known. */
  private introduce(): void {
    if (this.state.phase !== "talking" || this.state.step === "closed") return;
    if (!Object.keys(this.person).length || !flow.mayAskPersonal(this.state)) return;
    this.send("/api/lead/profile", { profile_data: this.person }, "known");
    this.person = {};
  }

  // What the server says

  private async settled(item: Item, outcome: Outcome): Promise<void> {
    this.revision = this.around.box.read().revision ?? 0;
    if (item.session !== this.session || this.state.phase !== "talking") return;
    if (this.state.isHeld) this.put({ isHeld: false });
    if (outcome.kind === "refused") return this.refused(item, outcome);
    if (outcome.kind !== "ok") return;
    if (item.path === "/api/answer") await this.answerKept(item, outcome.body as AnswerReply);
    if (item.path === "/api/lead/profile") await this.contactKept(item);
  }

  private async answerKept(item: Item, reply: AnswerReply): Promise<void> {
    await wait(this.around.typing());
    if (item.session !== this.session) return;
    if (reply.accepted) {
      const isLast = !this.outbox.items.some((other) => other.path === "/api/answer");
      this.set(flow.accepted(this.state, reply, this.words.changed, isLast));
      this.tellHost(item, reply);
    } else if (reply.reask) {
      const typed = item.body["answer_text"];
      const text = typeof typed === "string" ? typed : "";
      this.set(flow.askedAgain(this.state, reply.question_id, text, reply.reask));
    }
  }

  private tellHost(item: Item, reply: AnswerReply): void {
    const { answered, skipped, total } = reply.progress;
    const question = flow.questionOf(this.state, reply.question_id);
    this.around.host.emit("answer", {
      question_id: reply.question_id,
      question: question?.slug ?? null,
      skipped: item.body["skip"] === true,
      answered,
      total,
    });
    if (!reply.completed || this.around.box.read().done) return;
    this.around.box.update((saved) => {
      saved.done = true;
    });
    this.around.host.emit("completed", { answered, skipped, total });
  }

  private async contactKept(item: Item): Promise<void> {
    if (item.label === "known") return;
    this.around.host.emit("contact");
    // The next texts may speak to the visitor by name.
    const reply = await this.fetchConfig(item.session);
    if (item.session !== this.session) return;
    const state = this.state;
    const config = state.config as Config;
    const { calls, closing } = reply.kind === "ok" ? (reply.body as Config) : config;
    const next: State = { ...state, config: { ...config, calls, closing }, busy: false };
    if (next.editing === "contact") this.set({ ...next, editing: null });
    else if (next.step === "contact") this.set(flow.after("contact", this.thanked(next)));
    else this.set(next);
  }

  private thanked(state: State): State {
    const { name, email, phone } = state.contact;
    return flow.tell(state, [name, email, phone].filter(Boolean).join(", "));
  }

  private refused(item: Item, outcome: Outcome & { kind: "refused" }): void {
    const { status, code, message, fields } = outcome;
    if (status === 404) return this.lost(item.session);
    if (item.path === "/api/answer" || code === "session_closed") {
      // Branching hid the question meanwhile, or the conversation was closed: the server knows.
      this.set(flow.say(this.state, this.words.refused));
      return void this.catchUp();
    }
    if (item.path !== "/api/lead/profile" || item.label === "known") return;
    const errors: Record<string, string> = {};
    for (const [name, texts] of Object.entries(fields)) {
      errors[name.replace(/^profile_data\./, "")] = texts[0] ?? message;
    }
    const step = this.state.editing === "contact" ? this.state.step : "contact";
    this.put({ step, errors, busy: false });
  }

  private lost(session: string): void {
    this.forget(session);
    this.set({ ...flow.asleep(), entries: this.state.entries, spoken: this.state.spoken });
    void this.wake();
  }

  private stalled(): void {
    if (this.state.phase !== "talking") return;
    const mine = this.outbox.items.filter((item) => item.session === this.session);
    if (!mine.length) return;
    const answers = mine.filter((item) => item.path === "/api/answer");
    const next = flow.held(
      this.state,
      new Set(answers.map((item) => Number(item.body["question_id"]))),
    );
    const contactWaits = mine.some((item) => item.path === "/api/lead/profile");
    if (!contactWaits || next.step !== "contact") return this.set(next);
    this.set(flow.after("contact", this.thanked(next)));
  }

  // Other tabs

  private otherTab(): void {
    const { session, revision = 0 } = this.around.box.read();
    if (session === this.session && revision === this.revision) return;
    this.revision = revision;
    if (this.state.phase !== "talking") return;
    if (session === this.session) return void this.catchUp();
    // The other tab is starting again; this one follows when there is something to follow.
    if (!session) return;
    this.set({ ...flow.asleep(), spoken: this.state.spoken });
    void this.wake();
  }

  private async catchUp(): Promise<void> {
    if (this.catching) return;
    this.catching = true;
    await wait(150);
    this.catching = false;
    const session = this.session;
    const before = this.around.box.read().revision;
    if (!session) return;
    const [config, summary] = await Promise.all([
      this.fetchConfig(session),
      this.fetchSummary(session),
    ]);
    if (session !== this.session || config.kind !== "ok" || summary.kind !== "ok") return;
    const saved = this.around.box.read();
    if (saved.revision !== before) return this.catchUp();
    const empty: State = { ...flow.asleep(), consented: this.state.consented };
    const fresh = flow.resumed(
      empty,
      config.body as Config,
      summary.body as Summary,
      this.memory(saved),
      saved.queue ?? [],
    );
    this.set(flow.caughtUp(this.state, fresh));
  }

  // Small things

  private fetchConfig(session: string): Promise<Outcome> {
    return this.fetch(`/api/widget/config?session_id=${encodeURIComponent(session)}`);
  }

  private fetchSummary(session: string): Promise<Outcome> {
    return this.fetch(`/api/lead/summary/${encodeURIComponent(session)}`);
  }

  private fetch(path: string): Promise<Outcome> {
    return call(this.around.base, path, { token: this.around.box.read().token });
  }

  private behave(action: string, metadata?: Record<string, string>): void {
    this.send("/api/behavior", { action, ...(metadata && { metadata }) });
  }

  private send(path: string, body: Record<string, unknown>, label?: string): void {
    const session = this.session as string;
    const item: Item = { key: randomKey(), path, session, body, ...(label && { label }) };
    this.outbox.add(item);
  }

  private time(): { time_taken: number } {
    return { time_taken: Math.round((performance.now() - this.shown.at) / 100) / 10 };
  }

  /** What the bot does after it seemed to type for a moment. */
  private soon(next: (state: State) => State): void {
    const session = this.session;
    this.put({ busy: true });
    void wait(this.around.typing()).then(() => {
      if (session === this.session) this.set({ ...next(this.state), busy: false });
    });
  }

  private put(change: Partial<State>): void {
    this.set({ ...this.state, ...change });
  }

  private set(next: State): void {
    const before = this.state;
    this.state = next;
    const question = flow.currentQuestion(next)?.id;
    if (question !== this.shown.question) this.shown = { question, at: performance.now() };
    if (next.phase === "talking" && (next.step !== before.step || next.clicked !== before.clicked)) {
      this.around.box.update((saved) => {
        saved.step = next.step;
        saved.clicked = [...next.clicked];
      });
    }
    this.around.changed();
  }
}

/** Takes away what belongs to one session. */
function clear(saved: Saved): void {
  for (const name of ["session", "token", "starting", "step", "clicked", "done"] as const) {
    delete saved[name];
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** After so many seconds, or as soon as the line is back. */
function online(seconds: number): Promise<unknown> {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
    addEventListener("online", resolve, { once: true });
  });
}
