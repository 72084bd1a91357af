// The widget's small words come from the server, in the visitor's language, as part of its config.

/** Every word the server sends (engine/widget_words.py). */
export type Words = Record<
  | "launcher"
  | "conversation"
  | "close"
  | "bot"
  | "you"
  | "send"
  | "skip"
  | "cancel"
  | "go"
  | "edit"
  | "type"
  | "orType"
  | "pick"
  | "progress"
  | "waiting"
  | "held"
  | "lost"
  | "agree"
  | "disagree"
  | "declined"
  | "later"
  | "yes"
  | "no"
  | "keep"
  | "name"
  | "email"
  | "phone"
  | "company"
  | "business_type"
  | "location"
  | "staff_size"
  | "monthly_sales"
  | "country"
  | "dialling"
  | "reach"
  | "thanks"
  | "summary"
  | "contact"
  | "skipped"
  | "confirm"
  | "restart"
  | "restartAsk"
  | "changed"
  | "ended"
  | "refused"
  | "noThanks",
  string
>;

/** What is needed before the server has said anything. */
const BEFORE: Partial<Words> = {
  close: "Close",
  lost: "I cannot reach the server. I keep trying.",
};

export function firstWords(): Words {
  return BEFORE as Words;
}

/** A phrase with its places filled: `{n}`, `{m}`, `{x}`; nothing where no word has come yet. */
export function fill(phrase: string | undefined, values: Record<string, string | number>): string {
  return (phrase ?? "").replace(/\{(\w)\}/g, (place, name: string) => String(values[name] ?? place));
}
