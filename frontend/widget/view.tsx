// What the visitor sees. Texts only ever become text nodes; nothing here builds HTML from strings.

import { Composer } from "./composer";
import type { Conversation } from "./conversation";
import { Fragment, h } from "./dom";
import { CONTACT_FIELDS, labelled, progress, questionOf, type Entry } from "./flow";
import { fill } from "./words";

export interface Panel {
  mode: "bubble" | "inline";
  isOpen: boolean;
  /** It opened by itself, so it stays small and takes no focus. */
  isGentle: boolean;
  level: number | undefined;
  title: string;
  launcher: string;
  toggle: () => void;
  close: () => void;
}

export function App({ panel, talk }: { panel: Panel; talk: Conversation }) {
  const { words } = talk;
  return (
    <>
      {panel.mode === "bubble" && (
        <button
          type="button"
          class="launcher"
          data-focus-launcher
          aria-expanded={panel.isOpen}
          aria-label={panel.isOpen ? words.close : undefined}
          onclick={panel.toggle}
        >
          <Icon path={panel.isOpen ? CROSS : BUBBLE} />
          {!panel.isOpen && <span class="launcher-text">{panel.launcher}</span>}
        </button>
      )}
      {panel.isOpen && <Window panel={panel} talk={talk} />}
    </>
  );
}

function Window({ panel, talk }: { panel: Panel; talk: Conversation }) {
  const isBubble = panel.mode === "bubble";
  return (
    <section
      class={`panel ${panel.mode}${panel.isGentle ? " gentle" : ""}`}
      role={isBubble ? "dialog" : "region"}
      aria-labelledby="title"
      onkeydown={(event: KeyboardEvent) => {
        if (event.key === "Escape" && isBubble) {
          event.stopPropagation();
          panel.close();
        }
      }}
    >
      <Top panel={panel} talk={talk} />
      <div class="body" tabindex={0} role="group" aria-label={talk.words.conversation} data-park>
        <Log talk={talk} />
        <Composer talk={talk} />
      </div>
      <Held talk={talk} />
    </section>
  );
}

function Top({ panel, talk }: { panel: Panel; talk: Conversation }) {
  const { words, state } = talk;
  const { done, total } = progress(state);
  const counts = fill(words.progress, { n: done, m: total });
  const isAsking = state.step === "questions" && total > 0;
  return (
    <div class="top">
      <h2 id="title" aria-level={panel.level}>{panel.title}</h2>
      {isAsking && <span class="count">{counts}</span>}
      {state.phase === "talking" && state.entries.some((entry) => entry.from === "you") && (
        <IconButton label={words.restart} path={AGAIN} work={() => talk.askRestart(true)} />
      )}
      {panel.mode === "bubble" && (
        <IconButton label={words.close} path={CROSS} work={panel.close} />
      )}
      {isAsking && <div class="bar" style={`inline-size:${(100 * done) / total}%`} />}
    </div>
  );
}

function Log({ talk }: { talk: Conversation }) {
  const { state, words } = talk;
  return (
    <>
      <div class="log" role="log" aria-live="polite" aria-label={words.conversation}>
        {state.entries.map((entry) => (
          <Bubble key={entry.id} entry={entry} talk={talk} />
        ))}
      </div>
      {state.busy && (
        <div class="row bot typing" aria-hidden="true">
          <p class="bubble">
            <i />
            <i />
            <i />
          </p>
        </div>
      )}
    </>
  );
}

function Bubble({ entry, talk }: { entry: Entry; talk: Conversation }) {
  const { words, state } = talk;
  const isBot = entry.from === "bot";
  const question = entry.question;
  const mayChange =
    !isBot && question !== undefined && questionOf(state, question) && state.step !== "closed";
  return (
    // The visitor knows what they said: only the bot's words are read out.
    <div class={`row ${entry.from}`} {...(isBot ? {} : { "aria-live": "off" })}>
      <p class="bubble" id={entry.id}>
        <span class="unseen">{isBot ? words.bot : words.you} </span>
        {entry.text}
      </p>
      {entry.waiting && <small class="note">{words.waiting}</small>}
      {mayChange && state.editing !== question && (
        <Change label={words.edit} what={entry.text} work={() => talk.edit(question)} />
      )}
    </div>
  );
}

function Held({ talk }: { talk: Conversation }) {
  const { state, words } = talk;
  const sentence = state.phase === "starting" ? words.lost : words.held;
  // Always there, so that a screen reader hears it when it fills.
  return (
    <p class="held" role="status">
      {state.isHeld ? sentence : ""}
    </p>
  );
}

/** "What you told us": each answer with a way to change it. */
export function Summary({ talk }: { talk: Conversation }) {
  const { state, words } = talk;
  const { contact, config, given } = state;
  const facts = (config?.questions ?? []).flatMap((question): Fact[] => {
    const { id, text: term } = question;
    const answer = given[id];
    return answer ? [{ what: id, term, text: labelled(question, answer.text) }] : [];
  });
  const known = CONTACT_FIELDS.map((name) => contact[name]).filter(Boolean);
  if (config?.contact) {
    facts.push({ what: "contact", term: words.contact, text: known.join(", ") || words.skipped });
  }
  return (
    <dl>
      {facts.map(({ what, term, text }) => (
        <div class="fact" key={what}>
          <dt>{term}</dt>
          <dd>{text}</dd>
          {state.step !== "closed" && (
            <dd class="side">
              <Change label={words.edit} what={term} work={() => talk.edit(what)} />
            </dd>
          )}
        </div>
      ))}
    </dl>
  );
}

interface Fact {
  what: number | "contact";
  term: string;
  text: string;
}

function Change({ label, what, work }: { label: string; what: string; work: () => void }) {
  return (
    <button type="button" class="link" aria-label={`${label}: ${what}`} onclick={work}>
      {label}
    </button>
  );
}

/** A button that shows a sign; without work of its own it sends its form. */
export function IconButton(props: {
  label: string;
  path: string;
  work?: () => void;
  look?: string;
}) {
  const { label, path, work, look = "icon" } = props;
  return (
    <button
      type={work ? "button" : "submit"}
      class={look}
      aria-label={label}
      title={label}
      onclick={work}
    >
      <Icon path={path} />
    </button>
  );
}

function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

const BUBBLE = "M21 11.5a8.5 8.5 0 0 1-12.5 7.5L3 20.5l1.5-5.5A8.5 8.5 0 1 1 21 11.5z";
const CROSS = "M6 6l12 12M18 6L6 18";
export const ARROW = "M4 12h15M13 6l6 6-6 6";
const AGAIN = "M4 5v5h5M4.6 10a8 8 0 1 1-.4 4.5";

