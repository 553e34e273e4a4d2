// <search-key><form role="search"><input type="search"></form></search-key>
// Ctrl-K or Cmd-K puts the cursor into the field.
customElements.define("search-key", class extends HTMLElement {
  #listen = (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return
    event.preventDefault()
    this.querySelector("input")?.select()
    this.querySelector("input")?.focus()
  }

  connectedCallback() {
    addEventListener("keydown", this.#listen)
  }

  disconnectedCallback() {
    removeEventListener("keydown", this.#listen)
  }
})
