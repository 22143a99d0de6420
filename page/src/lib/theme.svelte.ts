/** The theme: the device's, or the one that was chosen here; `data-theme` on the root says which. */

export type Choice = "system" | "dark" | "light";
const KEY = "sfa.theme";

class Theme {
  choice = $state<Choice>("system");
  resolved = $state<"dark" | "light">("dark");
  private readonly light = window.matchMedia("(prefers-color-scheme: light)");

  begin() {
    const stored = localStorage.getItem(KEY);
    if (stored === "dark" || stored === "light") this.choice = stored;
    this.light.addEventListener("change", () => this.apply());
    this.apply();
  }

  choose(choice: Choice) {
    this.choice = choice;
    if (choice === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
    this.apply();
  }

  private apply() {
    const system = this.light.matches ? "light" : "dark";
    this.resolved = this.choice === "system" ? system : this.choice;
    document.documentElement.dataset.theme = this.resolved;
    const background = getComputedStyle(document.documentElement).getPropertyValue("--bg");
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", background);
  }
}

export const theme = new Theme();
