// <theme-toggle hidden><button type="button" value="light">Light</button>…</theme-toggle>
// Light, dark or as the system has it, remembered in this browser. Loaded in the head and not
// deferred, so that the first paint is already right. Without JavaScript the system decides.
{
  const root = document.documentElement

  const chosen = () => {
    try { return localStorage.getItem("theme") ?? "system" } catch { return "system" }
  }

  const light = (theme) => {
    if (theme === "system") delete root.dataset.theme
    else root.dataset.theme = theme
    for (const button of document.querySelectorAll("theme-toggle button")) {
      button.setAttribute("aria-pressed", String(button.value === theme))
    }
  }

  light(chosen())
  addEventListener("DOMContentLoaded", () => light(chosen()))
  addEventListener("storage", (event) => { if (event.key === "theme") light(chosen()) })

  customElements.define("theme-toggle", class extends HTMLElement {
    connectedCallback() {
      this.hidden = false
      this.addEventListener("click", (event) => {
        const theme = event.target.closest("button")?.value
        if (!theme) return
        try { localStorage.setItem("theme", theme) } catch { /* A private window forgets; the click still counts. */ }
        light(theme)
      })
    }
  })
}
