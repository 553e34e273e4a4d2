// <confirm-dialog><a href="/grants/7/revoke/">Revoke…</a></confirm-dialog>
// The link leads to a page that asks (`.confirm`). Here the question comes to the reader instead:
// it is fetched and shown in a dialog. Anything unexpected simply follows the link.
customElements.define("confirm-dialog", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", (event) => {
      const link = event.target.closest("a[href]")
      const modified = event.ctrlKey || event.metaKey || event.shiftKey || event.button
      if (!link || modified || link.closest("dialog")) return
      event.preventDefault()
      this.#ask(link.href)
    })
  }

  async #ask(address) {
    const question = await this.#fetch(address).catch(() => null)
    if (!question) return location.assign(address)

    const dialog = document.createElement("dialog")
    dialog.className = "dialog"
    dialog.setAttribute("closedby", "any")
    const title = question.querySelector(".confirm__title")
    title.id = "confirm-title"
    dialog.setAttribute("aria-labelledby", title.id)
    dialog.append(question)
    dialog.addEventListener("click", (event) => {
      if (!event.target.closest("[data-cancel]")) return
      event.preventDefault()
      dialog.close()
    })
    dialog.addEventListener("close", () => dialog.remove())
    this.append(dialog)
    globalThis.htmx?.process(dialog)
    dialog.showModal()
  }

  async #fetch(address) {
    const answer = await fetch(address, { headers: { Accept: "text/html" } })
    if (!answer.ok) return null
    const page = document.createElement("template")
    page.innerHTML = await answer.text()
    return page.content.querySelector(".confirm")
  }
})
