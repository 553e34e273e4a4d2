// <bulk-select><form>… <input type="checkbox" data-select-all> … <input type="checkbox" name="ids">
// … <div class="bulk-bar"><output data-selected></output> … </div></form></bulk-select>
// One box ticks all rows of the page, the bar appears with the count. Without JavaScript the bar is always there.
customElements.define("bulk-select", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", (event) => {
      if (event.target.matches("[data-select-all]")) {
        for (const box of this.#boxes) box.checked = event.target.checked
      }
      this.#count()
    })
    this.addEventListener("htmx:afterSettle", () => this.#count())
    this.#count()
    this.toggleAttribute("ready", true)
  }

  get #boxes() {
    return [...this.querySelectorAll("input[name=ids]")]
  }

  #count() {
    const boxes = this.#boxes
    const ticked = boxes.filter((box) => box.checked).length
    const all = this.querySelector("[data-select-all]")
    if (all) {
      all.checked = boxes.length > 0 && ticked === boxes.length
      all.indeterminate = ticked > 0 && ticked < boxes.length
    }
    for (const output of this.querySelectorAll("[data-selected]")) output.textContent = ticked
    this.toggleAttribute("selected", ticked > 0)
  }
})
