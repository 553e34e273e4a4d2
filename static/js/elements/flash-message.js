// <flash-message>… <button type="button" hidden>Dismiss</button></flash-message>
// Shows the button and takes the message away when it is pressed; never by itself, for people read
// slowly. One that comes with an htmx answer scrolls into view.
customElements.define("flash-message", class extends HTMLElement {
  connectedCallback() {
    const button = this.querySelector(".message__close")
    button.hidden = false
    if (document.readyState === "complete") this.scrollIntoView({ block: "nearest" })
    button.addEventListener("click", () => this.remove())
  }
})
