// <lesson-page><a rel="prev" …> <a rel="next" …> <aside>…</aside></lesson-page>
// The left and right arrow keys follow the links to the previous and the next lesson, and the outline
// beside the lesson shows the place of this one. Without JavaScript the links are there all the same.
const BUSY = "input, textarea, select, audio, video, [contenteditable], [popover], dialog, [tabindex='0']"
const WAYS = { ArrowLeft: "prev", ArrowRight: "next" }

customElements.define("lesson-page", class extends HTMLElement {
  #follow = (event) => {
    const taken = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented
    if (taken || !(event.key in WAYS) || event.target.closest(BUSY)) return
    this.querySelector(`a[rel=${WAYS[event.key]}]`)?.click()
  }

  connectedCallback() {
    document.addEventListener("keydown", this.#follow)
    this.toggleAttribute("keys", true) // shows the hint
    const aside = this.querySelector("aside")
    const here = aside.querySelector("[aria-current]")
    if (here) aside.scrollTop = here.offsetTop - aside.clientHeight / 2
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#follow)
  }
})
