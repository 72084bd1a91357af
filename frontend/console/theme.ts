// Light, dark, or as the system is: kept in this browser alone.
const KEY = "leadline:theme";
const ORDER = ["auto", "light", "dark"] as const;
type Theme = (typeof ORDER)[number];

function kept(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return ORDER.find((one) => one === found) ?? "auto";
  } catch {
    return "auto";
  }
}

function show(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-switch]")) {
    button.setAttribute("aria-label", `Colours: ${theme}. Change`);
    button.title = `Colours: ${theme}`;
  }
}

/** Shows the chosen colours and listens to the button that changes them. */
export function startTheme(): void {
  show(kept());
  document.addEventListener("click", (event) => {
    if (!(event.target as Element).closest("[data-theme-switch]")) return;
    const next = ORDER[(ORDER.indexOf(kept()) + 1) % ORDER.length]!;
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // A browser that keeps nothing still shows it on this page.
    }
    show(next);
  });
}
