// <relative-time><time datetime="2026-11-21T10:00:00Z">3 minutes ago</time></relative-time>
// Keeps what the server printed true while the page stays open: minutes and hours; days can wait.
customElements.define("relative-time", class extends HTMLElement {
  #timer

  connectedCallback() {
    this.#timer = setInterval(() => this.#print(), 60_000)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
  }

  #print() {
    const time = this.querySelector("time")
    const minutes = Math.trunc((Date.parse(time.dateTime) - Date.now()) / 60_000)
    if (minutes === 0 || Math.abs(minutes) >= 24 * 60) return
    const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" })
    time.textContent = Math.abs(minutes) < 60
      ? words.format(minutes, "minute")
      : words.format(Math.trunc(minutes / 60), "hour")
  }
})
