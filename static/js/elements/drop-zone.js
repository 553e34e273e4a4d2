// <drop-zone><label for="file">…</label><input type="file" id="file"></drop-zone>
// A file dropped anywhere on it is chosen in the input. Without JavaScript the input does it all.
customElements.define("drop-zone", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("dragover", (event) => {
      event.preventDefault()
      this.toggleAttribute("over", true)
    })
    this.addEventListener("dragleave", () => this.toggleAttribute("over", false))
    this.addEventListener("drop", (event) => {
      event.preventDefault()
      this.toggleAttribute("over", false)
      const input = this.querySelector("input[type=file]")
      input.files = event.dataTransfer.files
      input.dispatchEvent(new Event("change", { bubbles: true }))
    })
  }
})
