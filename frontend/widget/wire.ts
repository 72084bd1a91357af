// The shapes that the server sends, as far as the widget reads them.

import type { Words } from "./words";

export interface Choice {
  value: string;
  label: string;
}

export interface Question {
  id: number;
  slug: string;
  text: string;
  type: string;
  step: number;
  required: boolean;
  choices: Choice[];
  placeholder: string;
  help: string;
  min: number | null;
  max: number | null;
}

export interface Proactive {
  after_seconds: number | null;
  scroll_percent: number | null;
  exit_intent: boolean;
  url_pattern: string;
  cap_hours: number;
}

/** What every page of a site gets before anybody spoke. */
export interface Presentation {
  widget: {
    title: string;
    launcher: string;
    position: string;
    theme: { accent: string; scheme: string };
  };
  proactive: Proactive | null;
  words: Words;
  locale: string;
  dir: string;
  greeting: string;
  greeting_replies: string[];
  consent: { text: string; version: string; required: boolean } | null;
  contact: { text: string; fields: string[] } | null;
  country: { region: string; calling_code: string | null };
}

/** All that the widget shows of one session. */
export interface Config extends Presentation {
  questions: Question[];
  menu: { text: string; products: { id: string; name: string; description: string }[] };
  calls: { text: string; options: { id: string; label: string; action: string }[] };
  closing: string;
}

export interface Reask {
  message: string;
  suggestions: string[];
}

export interface AnswerReply {
  question_id: number;
  accepted: boolean;
  next_question: Question | null;
  progress: { answered: number; skipped: number; total: number };
  completed: boolean;
  reask?: Reask;
}

export interface GivenAnswer {
  question_id: number;
  answer_text: string | null;
  options: string[];
  skipped: boolean;
}

export interface Summary {
  lead_data: Record<string, unknown> & { closed: boolean; completed: boolean };
  behaviors: { action: string }[];
  answers: GivenAnswer[];
}
