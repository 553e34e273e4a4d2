// <copy-button value="https://…" copied="Copied"><button type="button">Copy link</button></copy-button>
// Copies `value` and says `copied` for two seconds. Without JavaScript the value stands beside it.
customElements.define("copy-button", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", () => this.#copy())
  }

  async #copy() {
    const button = this.querySelector("button")
    if (this.hasAttribute("busy")) return
    await navigator.clipboard.writeText(this.getAttribute("value"))
    const before = [...button.childNodes]
    const width = button.offsetWidth
    this.toggleAttribute("busy", true)
    button.style.minInlineSize = `${width}px`
    button.setAttribute("aria-live", "polite")
    button.replaceChildren(this.getAttribute("copied") ?? "✓")
    setTimeout(() => {
      button.replaceChildren(...before)
      button.removeAttribute("aria-live")
      this.toggleAttribute("busy", false)
    }, 2000)
  }
})
