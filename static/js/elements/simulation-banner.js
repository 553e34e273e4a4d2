// <simulation-banner seconds="1799" leaves>… <span data-left>30 minutes</span> … <p data-refused hidden>…</simulation-banner>
// Counts the time down; when it is over, a page of the student's (`leaves`) asks the server where to go. Says
// so when htmx was refused a write. A page that the browser kept from before is loaded again: it may show
// somebody else's. Without JavaScript the minutes stand as the server printed them.
customElements.define("simulation-banner", class extends HTMLElement {
  #ends
  #timer
  #refresh = ({ persisted }) => persisted && location.reload()
  #refused = ({ detail }) => {
    if (detail.xhr.status === 403) this.querySelector("[data-refused]").hidden = false
  }

  connectedCallback() {
    this.#ends = Date.now() + Number(this.getAttribute("seconds")) * 1000
    this.#timer = setInterval(() => this.#tick(), 1000)
    this.#tick()
    addEventListener("pageshow", this.#refresh)
    document.addEventListener("htmx:responseError", this.#refused)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
    removeEventListener("pageshow", this.#refresh)
    document.removeEventListener("htmx:responseError", this.#refused)
  }

  #tick() {
    const left = Math.max(0, Math.round((this.#ends - Date.now()) / 1000))
    const seconds = String(left % 60).padStart(2, "0")
    this.querySelector("[data-left]").textContent = `${Math.floor(left / 60)}:${seconds}`
    if (left > 0) return
    clearInterval(this.#timer)
    if (this.hasAttribute("leaves")) location.assign(location.href.split("#")[0])
  }
})
