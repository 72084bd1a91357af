// Where the visitor answers: what fits the step and the type of the question.

import type { Conversation } from "./conversation";
import { Fragment, h } from "./dom";
import { currentQuestion } from "./flow";
import { ARROW, IconButton, Summary } from "./view";
import type { Config, Question } from "./wire";
import { fill, type Words } from "./words";

type Talk = { talk: Conversation };

export function Composer({ talk }: Talk) {
  const { state } = talk;
  if (state.phase !== "talking" || state.busy) return null;
  const question = currentQuestion(state);
  if (state.asksRestart) return <Restart talk={talk} />;
  if (state.editing === "contact") return <Contact talk={talk} />;
  if (question) {
    const tries = state.reask?.question === question.id ? state.reask.typed : "";
    return <Ask key={`${question.id} ${tries}`} talk={talk} question={question} />;
  }
  switch (state.step) {
    case "greeting":
      return <Greeting talk={talk} />;
    case "later":
    case "consent":
    case "declined":
      return <Consent talk={talk} />;
    case "products":
      return <Products talk={talk} />;
    case "contact":
      return <Contact talk={talk} />;
    case "calls":
      return <Calls talk={talk} />;
    default:
      return <Closing talk={talk} />;
  }
}

interface Offer {
  label: string;
  work?: () => void;
  look?: "choice" | "main" | "plain";
}

function Button({ label, work, look = "choice", isFirst }: Offer & { isFirst?: boolean }) {
  return (
    <button
      type={work ? "button" : "submit"}
      class={look}
     
      onclick={work}
      data-focus={isFirst}
    >
      {label}
    </button>
  );
}

/** Buttons to choose from; the keyboard is led to the first of them. */
function Choices({ offers, look = "" }: { offers: Offer[]; look?: string }) {
  return (
    <div class={`choices ${look}`}>
      {offers.map((offer, place) => (
        <Button {...offer} isFirst={!place} />
      ))}
    </div>
  );
}

/** The same, the first being what most will want. */
function Paths({ offers, look = "" }: { offers: Offer[]; look?: string }) {
  const [first, ...rest] = offers;
  const all = first ? [{ ...first, look: "main" as const }, ...rest] : [];
  return <Choices offers={all} look={`composer ${look}`} />;
}

function Restart({ talk }: Talk) {
  const { words } = talk;
  return (
    <div class="composer" role="group" aria-label={words.restartAsk}>
      <p>{words.restartAsk}</p>
      <Choices
        offers={[
          { label: words.restart, look: "main", work: () => talk.restart() },
          { label: words.cancel, work: () => talk.askRestart(false) },
        ]}
      />
    </div>
  );
}

function Greeting({ talk }: Talk) {
  const replies = talk.state.config?.greeting_replies ?? [];
  // The last of several replies is the polite no.
  const isYes = (place: number) => !place || place < replies.length - 1;
  return (
    <Paths
      offers={replies.map((label, place) => ({
        label,
        work: () => talk.reply(label, isYes(place)),
      }))}
    />
  );
}

/** Consent, or a way back for who said no to it or to the greeting. */
function Consent({ talk }: Talk) {
  const { words, state } = talk;
  const isLater = state.step === "later";
  const yes: Offer = isLater
    ? { label: words.go, work: () => talk.goOn() }
    : { label: words.agree, work: () => talk.consent(true) };
  const no: Offer = { label: words.disagree, work: () => talk.consent(false) };
  return <Paths offers={state.step === "consent" ? [yes, no] : [yes]} />;
}

// Questions

function Ask({ talk, question }: Talk & { question: Question }) {
  const { state, words } = talk;
  const isEdit = state.editing === question.id;
  return (
    <div class="composer" role="group" aria-label={question.text}>
      {isEdit && <p class="asked">{question.text}</p>}
      {question.help && <p class="hint" id="help">{question.help}</p>}
      <Suggestions talk={talk} question={question} />
      <Input talk={talk} question={question} />
      <div class="choices end">
        {!question.required && (
          <Button look="plain" label={words.skip} work={() => talk.skip(question.id)} />
        )}
        {isEdit && <Button look="plain" label={words.cancel} work={() => talk.edit(null)} />}
      </div>
    </div>
  );
}

function Suggestions({ talk, question }: Talk & { question: Question }) {
  const { state, words } = talk;
  const reask = state.reask;
  if (reask?.question !== question.id || question.type !== "choice") return null;
  const answer = (label: string) => () => talk.answer(question.id, label, label);
  const offers = reask.suggestions.map((label) => ({ label, work: answer(label) }));
  if (reask.typed) {
    const label = fill(words.keep, { x: reask.typed });
    offers.push({ label, work: answer(reask.typed) });
  }
  return <Choices offers={offers} />;
}

function Input({ talk, question }: Talk & { question: Question }) {
  const { type } = question;
  if (type === "multi_choice") return <Several talk={talk} question={question} />;
  if (type === "choice" || type === "rating" || type === "consent") {
    return <One talk={talk} question={question} />;
  }
  return <Typed talk={talk} question={question} />;
}

function One({ talk, question }: Talk & { question: Question }) {
  const { state, words } = talk;
  const { type, choices } = question;
  const isChoice = type === "choice";
  const yesNo = [
    { value: "yes", label: words.yes },
    { value: "no", label: words.no },
  ];
  const offers = (type === "consent" ? yesNo : choices).map(({ value, label }) => ({
    label,
    work: () => talk.answer(question.id, value, label),
  }));
  return (
    <>
      {!(isChoice && state.reask?.question === question.id) && (
        <Choices offers={offers} look={isChoice ? "" : "rating"} />
      )}
      {isChoice && <Typed talk={talk} question={question} isExtra />}
    </>
  );
}

function Several({ talk, question }: Talk & { question: Question }) {
  const { state, words } = talk;
  const given = (state.given[question.id]?.text ?? "").split(", ");
  const send = (event: Event) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const values = new FormData(form).getAll("choice").map(String);
    const error = form.querySelector(".error") as HTMLElement;
    error.textContent = values.length ? "" : words.pick;
    if (!values.length) return;
    const labels = question.choices.filter((one) => values.includes(one.value));
    talk.answer(question.id, values, labels.map((one) => one.label).join(", "));
  };
  return (
    <form onsubmit={send} novalidate>
      <div class="checks">
        {question.choices.map(({ value, label }, place) => (
          <label class="check" key={value}>
            <input
              type="checkbox"
              name="choice"
              value={value}
              checked={given.includes(label)}
              data-focus={!place}
            />
            {label}
          </label>
        ))}
      </div>
      <p class="error" role="alert" />
      <Button look="main" label={words.go} />
    </form>
  );
}

/** How a type of question, or a part of the contact, is typed. */
const KINDS: Record<string, { type?: string; complete?: string; mode?: string }> = {
  name: { complete: "name" },
  company: { complete: "organization" },
  email: { type: "email", complete: "email" },
  phone: { type: "tel", complete: "tel" },
  number: { mode: "decimal" },
  date: { type: "date" },
};

function Typed({ talk, question, isExtra }: Talk & { question: Question; isExtra?: boolean }) {
  const { state, words } = talk;
  const reask = state.reask?.question === question.id ? state.reask : null;
  const kind = KINDS[question.type] ?? {};
  const isPhone = question.type === "phone";
  const given = state.editing === question.id ? state.given[question.id] : undefined;
  const old = given && !given.skipped && !isExtra ? given.text : "";
  const send = (event: Event) => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).elements.namedItem("text") as HTMLInputElement;
    const typed = input.value.trim();
    const text = isPhone ? talk.dialled(typed) : typed;
    if (text) talk.answer(question.id, text, text);
    else input.focus();
  };
  const described = [question.help && "help", reask?.entry].filter(Boolean);
  return (
    <form class="typed" onsubmit={send} novalidate>
      {isPhone && <Country talk={talk} />}
      <input
        name="text"
        type={kind.type}
        maxlength={2000}
       
        autocomplete={kind.complete ?? "off"}
        inputmode={kind.mode}
        placeholder={question.placeholder || (isExtra ? words.orType : words.type)}
        aria-label={question.text}
        aria-describedby={described.join(" ") || undefined}
        aria-invalid={reask && !isExtra ? true : undefined}
        min={question.min ?? undefined}
        max={question.max ?? undefined}
        value={reask ? reask.typed : old}
        data-focus={!isExtra}
      />
      <IconButton look="send" label={words.send} path={ARROW} />
    </form>
  );
}

/** A choice of the country that a number is from, where it does not say so itself. */
function Country({ talk }: Talk) {
  talk.fetchCodes();
  const chosen = talk.region || (talk.state.config as Config).country.region;
  const offers = Object.keys({ [chosen]: "", ...talk.codes })
    .map((region) => ({ region, label: countryOf(talk, region) }))
    .sort((one, other) => one.label.localeCompare(other.label));
  return (
    <select
      aria-label={talk.words.dialling}
      onchange={(event: Event) => (talk.region = (event.target as HTMLSelectElement).value)}
    >
      {offers.map(({ region, label }) => (
        <option key={region} value={region} selected={region === chosen}>
          {label}
        </option>
      ))}
    </select>
  );
}

/** A country's name in the visitor's language, and its code. */
function countryOf(talk: Conversation, region: string): string {
  const { country, locale } = talk.state.config as Config;
  const code = talk.codes?.[region] ?? country.calling_code;
  let name = region;
  try {
    name = new Intl.DisplayNames([locale], { type: "region" }).of(region) ?? region;
  } catch {
    // A browser that does not know this language shows the code of the region.
  }
  return `${name} (\u2066${code}\u2069)`;
}

// Behind the questions

function Products({ talk }: Talk) {
  const { state, words } = talk;
  return (
    <div class="composer">
      <div class="cards">
        {state.config?.menu.products.map((product, place) => (
          <button
            key={product.id}
            type="button"
            class="card"
            aria-pressed={state.clicked.includes(product.id)}
            onclick={() => talk.product(product.id)}
            data-focus={!place}
          >
            <b>{product.name}</b>
            <span>{product.description}</span>
          </button>
        ))}
      </div>
      <Button look="main" label={words.go} work={() => talk.leave()} />
    </div>
  );
}

function Contact({ talk }: Talk) {
  const { state, words } = talk;
  const fields = state.config?.contact?.fields ?? [];
  const isEdit = state.editing === "contact";
  const send = (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const values = Object.fromEntries(fields.map((name) => [name, text(form, name)]));
    const reachable = fields.filter((name) => name === "email" || name === "phone");
    if (reachable.length && !reachable.some((name) => values[name])) {
      return talk.refuseContact({ [reachable[0] as string]: words.reach });
    }
    if (values["phone"]) values["phone"] = talk.dialled(values["phone"]);
    talk.giveContact(values, text(form, "website"));
  };
  const bad = fields.find((name) => state.errors[name]);
  return (
    <form class="composer" onsubmit={send} novalidate>
      {fields.map((name, place) => (
        <Field
          key={name}
          talk={talk}
          name={name}
          isFirst={bad ? name === bad : !place}
        />
      ))}
      <input class="unseen" name="website" tabindex={-1} autocomplete="off" aria-hidden="true" />
      <div class="choices end">
        <Button look="main" label={words.send} />
        {isEdit ? (
          <Button look="plain" label={words.cancel} work={() => talk.edit(null)} />
        ) : (
          <Button look="plain" label={words.skip} work={() => talk.leave()} />
        )}
      </div>
    </form>
  );
}

function Field({ talk, name, isFirst }: Talk & { name: string; isFirst: boolean }) {
  const { state, words } = talk;
  const kind = KINDS[name] ?? {};
  const error = state.errors[name];
  return (
    <div class="field">
      <label for={`f-${name}`}>{words[name as keyof Words] ?? name}</label>
      {name === "phone" && <Country talk={talk} />}
      <input
        id={`f-${name}`}
        name={name}
        type={kind.type}
        autocomplete={kind.complete ?? "off"}
        maxlength={200}
       
        value={state.contact[name] ?? ""}
        aria-invalid={error ? true : undefined}
        aria-describedby={error ? `wrong-${name}` : undefined}
        data-focus={isFirst}
      />
      {error && <p class="error" role="alert" id={`wrong-${name}`}>{error}</p>}
    </div>
  );
}

function text(form: FormData, name: string): string {
  return String(form.get(name) ?? "").trim();
}

function Calls({ talk }: Talk) {
  const { state, words } = talk;
  const offers: Offer[] = (state.config?.calls.options ?? []).map(({ id, label, action }) => ({
    label,
    work: () => talk.callToAction(id, label, action),
  }));
  offers.push({ label: words.noThanks, look: "plain", work: () => talk.leave() });
  return <Paths offers={offers} look="column" />;
}

function Closing({ talk }: Talk) {
  const { state, words } = talk;
  const again: Offer = { label: words.restart, work: () => talk.askRestart(true) };
  const confirm: Offer = { label: words.confirm, look: "main", work: () => talk.confirm() };
  return (
    <div class="composer">
      <Summary talk={talk} />
      <Choices offers={state.step === "closed" ? [again] : [confirm, again]} />
    </div>
  );
}
