// <auto-press><form>… <button>Continue</button></form></auto-press>
// Presses the button once the page is there. Only for the browser that asked for what the form does.
customElements.define("auto-press", class extends HTMLElement {
  connectedCallback() {
    this.querySelector("form").requestSubmit()
  }
})
