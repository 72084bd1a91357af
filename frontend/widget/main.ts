// The one script a page loads: finds its place, draws the widget, and never gets in the way.

import { call } from "./api";
import { Conversation } from "./conversation";
import { render } from "./dom";
import { guarded, Host } from "./host";
import { isDue, watch } from "./proactive";
import { readSettings, type Settings } from "./settings";
import { Box, permitted } from "./storage";
import styles from "./styles.css?inline";
import { css, inkOn, parse, readableOn, type Colour } from "./theme";
import { App, type Panel } from "./view";
import type { Presentation } from "./wire";

const OPEN_AGAIN_WITHIN = 30 * 60_000;
const TYPING = 350;
const ACCENT: Colour = [11, 95, 86];
/** What texts in the accent colour stand on, by light and by dark: --bg and --soft of the styles. */
const GROUNDS: readonly [Colour[], Colour[]] = [
  [[255, 255, 255], [241, 244, 242]],
  [[22, 28, 26], [35, 43, 40]],
];

class Widget {
  private host = new Host();
  private box: Box;
  private talk: Conversation;
  private element = document.createElement("div");
  private root = document.createElement("div");
  private panel: Panel;
  private presentation: Presentation | null = null;
  private wantsFocus = false;
  private calm = matchMedia("(prefers-reduced-motion: reduce)");
  private dark = matchMedia("(prefers-color-scheme: dark)");
  private stopWatching = () => {};
  private drawn = 0;

  constructor(private settings: Settings) {
    this.box = new Box(
      permitted(() => window.localStorage),
      settings.site ? `leadline:${settings.site}` : "leadline",
    );
    const mode = settings.place ? "inline" : "bubble";
    this.panel = {
      mode,
      isOpen: false,
      isGentle: false,
      // The title of a page that is all conversation is the first of its headings.
      level: settings.place?.dataset["session"] ? 1 : undefined,
      title: "",
      launcher: "Chat",
      toggle: guarded(() => (this.panel.isOpen ? this.close() : this.open())),
      close: guarded(() => this.close()),
    };
    this.talk = new Conversation({
      base: settings.base,
      held: settings.place?.dataset ?? {},
      box: this.box,
      host: this.host,
      locale: settings.locale,
      visit: settings.visit,
      typing: () => (this.calm.matches ? 0 : TYPING),
      changed: guarded(() => this.draw()),
    });
  }

  async start(): Promise<void> {
    this.mount();
    this.host.publish({
      open: () => this.open(),
      close: () => this.close(),
      identify: (person) => this.talk.identify(person ?? {}),
    });
    const locale = encodeURIComponent(this.settings.locale);
    const reply = await call(this.settings.base, `/api/widget/config?locale=${locale}`);
    const { place } = this.settings;
    if (place && place.childElementCount > 1) {
      // What the page shows in our place works without us, and a visitor who began there stays.
      if (reply.kind !== "ok" || place.matches(":focus-within")) return;
      place.replaceChildren(this.element);
    }
    if (reply.kind === "ok") this.present(reply.body as Presentation);
    this.element.hidden = false;
    this.draw();
    if (this.panel.mode === "inline") this.whenSeen(() => this.show());
    else if (this.wasOpen()) this.show();
    else this.waitForMoment();
  }

  // On the page

  private mount(): void {
    const { element, root, settings } = this;
    element.hidden = true;
    const shadow = element.attachShadow({ mode: "open" });
    dress(shadow);
    root.className = "root";
    shadow.append(root);
    (settings.place ?? document.body).append(element);
    this.paint();
    this.dark.addEventListener("change", guarded(() => this.paint()));
    root.addEventListener("pointerdown", guarded(() => this.settle()));
    root.addEventListener("focusin", guarded(() => this.settle()));
    // A panel that fills a phone must not hide what the keyboard reaches behind it.
    document.addEventListener(
      "focusin",
      guarded((event: FocusEvent) => {
        const fills = innerWidth <= 480 || innerHeight <= 480;
        const isElsewhere = event.target !== element && event.target !== document.body;
        if (this.panel.isOpen && this.panel.mode === "bubble" && fills && isElsewhere) {
          this.hide();
        }
      }),
    );
    if (settings.place) return;
    // Pages that swap their whole body keep the widget.
    const keep = guarded(() => {
      if (!element.isConnected && document.body) document.body.append(element);
    });
    new MutationObserver(keep).observe(document.documentElement, { childList: true });
  }

  private present(presentation: Presentation): void {
    this.presentation = presentation;
    const { words } = presentation;
    this.panel.title = presentation.widget.title;
    this.panel.launcher = presentation.widget.launcher || words.launcher;
    this.talk.words = words;
    this.paint();
  }

  /** Colours, side and direction, from the script line, the page's style and the workflow. */
  private paint(): void {
    const { root, settings } = this;
    const look = this.presentation?.widget;
    const scheme = settings.scheme || look?.theme.scheme || "auto";
    const isDark = scheme === "dark" || (scheme === "auto" && this.dark.matches);
    const position = settings.position || look?.position || "end";
    root.toggleAttribute("data-dark", isDark);
    root.classList.toggle("start", position === "start");
    const locale = this.talk.state.config ?? this.presentation;
    root.dir = locale?.dir || "ltr";
    root.lang = locale?.locale || settings.locale;
    const own = getComputedStyle(this.element).getPropertyValue("--leadline-accent");
    const wished = [settings.accent, own, look?.theme.accent ?? ""];
    const accent = wished.map(parse).find(Boolean) ?? ACCENT;
    // Readable on the stronger of both grounds is readable on each.
    const ink = GROUNDS[isDark ? 1 : 0].reduce((one, ground) => readableOn(ground, one), accent);
    root.style.setProperty("--accent", css(accent));
    root.style.setProperty("--on-accent", css(inkOn(accent)));
    root.style.setProperty("--accent-ink", css(ink));
  }

  // Open and closed

  private open(): void {
    this.wantsFocus = true;
    this.panel.isGentle = false;
    this.show();
    if (this.panel.mode === "inline") this.element.scrollIntoView({ block: "nearest" });
  }

  private show(isProactive = false): void {
    this.stopWatching();
    if (!this.panel.isOpen) {
      this.panel.isOpen = true;
      this.panel.isGentle = isProactive;
      this.remember();
      this.host.emit("open", { proactive: isProactive });
    }
    this.draw();
    void this.talk.wake().catch(() => {});
  }

  private close(): void {
    if (this.panel.mode === "inline" || !this.panel.isOpen) return;
    const hadFocus = this.active() !== null;
    this.hide();
    if (hadFocus) this.find("[data-focus-launcher]")?.focus();
  }

  private hide(): void {
    this.panel.isOpen = false;
    this.wantsFocus = false;
    this.box.update((saved) => {
      delete saved.openedAt;
    });
    this.host.emit("close");
    this.draw();
  }

  /** The visitor took part: from now on it is a panel like any other. */
  private settle(): void {
    if (this.panel.isGentle) {
      this.panel.isGentle = false;
      this.draw();
    }
  }

  private remember(): void {
    if (this.panel.mode === "bubble" && !this.panel.isGentle) {
      this.box.update((saved) => {
        saved.openedAt = Date.now();
      });
    }
  }

  private wasOpen(): boolean {
    const { session, openedAt = 0 } = this.box.read();
    return Boolean(session) && Date.now() - openedAt < OPEN_AGAIN_WITHIN;
  }

  private waitForMoment(): void {
    const rules = this.presentation?.proactive;
    const saved = this.box.read();
    if (!rules || saved.session || !isDue(rules, saved.proactive, Date.now())) return;
    this.stopWatching = watch(
      rules,
      guarded(() => {
        if (this.panel.isOpen) return;
        this.box.update((one) => {
          one.proactive = Date.now();
        });
        this.show(true);
      }),
    );
  }

  private whenSeen(work: () => void): void {
    const observer = new IntersectionObserver(
      guarded((found: IntersectionObserverEntry[]) => {
        if (!found.some((one) => one.isIntersecting)) return;
        observer.disconnect();
        work();
      }),
    );
    observer.observe(this.settings.place as Element);
  }

  // Drawing

  private draw(): void {
    if (this.element.hidden) return;
    const { config } = this.talk.state;
    if (config && this.root.lang !== config.locale) this.paint();
    const active = this.active();
    // Who acts inside the widget is led on to what comes next.
    if (active && this.talk.state.busy) this.wantsFocus = true;
    render(this.root, App({ panel: this.panel, talk: this.talk }));
    this.lead(active);
    this.scroll();
  }

  private lead(before: Element | null): void {
    if (!this.panel.isOpen) return;
    const lostFocus = before !== null && !before.isConnected;
    if (!this.wantsFocus && !lostFocus) return;
    const next = this.find("[data-focus]");
    if (next) this.wantsFocus = false;
    else this.wantsFocus = true;
    (next ?? this.find("[data-park]"))?.focus({ preventScroll: next === null });
  }

  private scroll(): void {
    const body = this.find("[data-park]");
    const { entries, busy, editing, errors } = this.talk.state;
    const mark = entries.length * 4 + Number(busy) + (editing ? 2 : 0) + Object.keys(errors).length;
    if (!body || mark === this.drawn) return;
    this.drawn = mark;
    body.scrollTop = body.scrollHeight;
  }

  private active(): Element | null {
    return (this.element.shadowRoot as ShadowRoot).activeElement;
  }

  private find(selector: string): HTMLElement | null {
    return this.root.querySelector<HTMLElement>(selector);
  }
}

/** The styles, in a way that no Content-Security-Policy forbids. */
function dress(shadow: ShadowRoot): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  shadow.adoptedStyleSheets = [sheet];
}

function begin(script: HTMLScriptElement | null): void {
  const page = window as unknown as { leadlineLoads?: boolean };
  // The same script twice, from wherever, makes one widget.
  if (page.leadlineLoads) return;
  page.leadlineLoads = true;
  const run = guarded(() => new Widget(readSettings(script)).start());
  if (document.readyState !== "loading") run();
  else document.addEventListener("DOMContentLoaded", run, { once: true });
}

guarded(begin)(document.currentScript as HTMLScriptElement | null);
