// <passkey-form failed="It did not work."><form><input type="hidden" name="credential">…<button>Go on</button></form></passkey-form>
// Asks the browser for a passkey before the form is sent, and sends its answer as `credential`. What to ask for
// stands in a <script type="application/json"> inside; without one it is fetched from the form's address.
// With `create` a new passkey is made. Hidden where nobody can use it: see factor.css.
customElements.define("passkey-form", class extends HTMLElement {
  connectedCallback() {
    this.toggleAttribute("ready", Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON))
    this.addEventListener("submit", (event) => {
      event.preventDefault()
      this.#send(event.target)
    })
  }

  async #send(form) {
    try {
      const { publicKey } = await this.#options(form)
      const passkey = this.hasAttribute("create") ? await this.#create(publicKey, form) : await this.#get(publicKey)
      form.elements.credential.value = JSON.stringify(passkey.toJSON())
      form.submit()
    } catch {
      this.#say(this.getAttribute("failed"))
    }
  }

  async #options(form) {
    const written = this.querySelector("script[type='application/json']")
    if (written) return Object.values(JSON.parse(written.textContent))[0]
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } })
    return (await answer.json()).request_options
  }

  #create(options, form) {
    const alone = form.elements.passwordless?.checked ?? false
    options.authenticatorSelection = {
      ...options.authenticatorSelection,
      residentKey: alone ? "required" : "discouraged",
      requireResidentKey: alone,
      ...(alone && { userVerification: "required" }),
    }
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
  }

  #get(options) {
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) })
  }

  #say(text) {
    const line = this.querySelector("[role=alert]") ?? this.appendChild(document.createElement("p"))
    line.setAttribute("role", "alert")
    line.className = "errorlist"
    line.textContent = text
  }
})
