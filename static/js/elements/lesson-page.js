// <lesson-page><a rel="prev" …> <a rel="next" …> <aside>…</aside></lesson-page>
// The left and right arrow keys follow the links to the previous and the next lesson, and the outline
// beside the lesson scrolls to the place of this one if that is out of sight. Without JavaScript the links are there all the same.
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
    if (!here) return
    const [box, place] = [aside, here].map((element) => element.getBoundingClientRect())
    if (place.top < box.top || place.bottom > box.bottom) aside.scrollTop += place.top - box.top - box.height / 2
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#follow)
  }
})
