// <sort-list form="order" follows="consequences" moved="{name} is now {place} of {count} in {list}." failed="…"><div data-name="Course">
//   <div data-key="module-7" data-name="Start"> … <ul data-list><li data-key="lesson-9" data-name="Flour"> …
//     <button data-handle hidden>…</button> <button form="order" name="move" value="lesson-9 up">…</button>
// Modules and their lessons are dragged by the handle or moved by its arrow keys and by the buttons;
// each move posts the whole order (`order` for each key) to the form's address. The answer takes the
// place of the element with the id `follows`. What is refused is as it was before, and says why. Without JavaScript the buttons submit their form.
customElements.define("sort-list", class extends HTMLElement {
  #saved // the keys in the order that the server has
  #saving = Promise.resolve()
  #sentence // about the latest move
  #drag

  connectedCallback() {
    this.#saved = this.#order
    for (const handle of this.querySelectorAll("[data-handle]")) handle.hidden = false
    this.addEventListener("click", (event) => this.#press(event))
    this.addEventListener("keydown", (event) => this.#type(event))
    this.addEventListener("pointerdown", (event) => this.#grab(event))
  }

  get #order() {
    return [...this.querySelectorAll("[data-key]")].map((item) => item.dataset.key)
  }

  // The buttons and the arrow keys

  #press(event) {
    const button = event.target.closest("button[name=move]")
    if (!button) return
    event.preventDefault()
    this.#step(button.closest("[data-key]"), button.value.endsWith(" up") ? -1 : 1, button)
  }

  #type(event) {
    const handle = event.target.closest("[data-handle]")
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key]
    if (!handle || !by || this.#drag) return
    event.preventDefault()
    this.#step(handle.closest("[data-key]"), by, handle)
  }

  #step(item, by, control) {
    const beside = by < 0 ? item.previousElementSibling : item.nextElementSibling
    const module = item.parentElement.closest("[data-key]")
    const other = by < 0 ? module?.previousElementSibling : module?.nextElementSibling
    if (beside) by < 0 ? beside.before(item) : beside.after(item)
    else if (other) this.#list(other)[by < 0 ? "append" : "prepend"](item)
    else return
    this.#settle(item)
    // What was moved has lost the focus; what reached the edge cannot have it.
    if (control.disabled) control = item.querySelector("button[name=move]:not(:disabled)")
    control.focus()
  }

  // Dragging: with a mouse, a pen or a finger

  #grab(event) {
    const handle = event.target.closest("[data-handle]")
    if (!handle || event.button) return
    event.preventDefault()
    handle.focus()
    const item = handle.closest("[data-key]")
    const stop = new AbortController()
    this.#drag = { item, stop, before: this.#order, x: event.clientX, y: event.clientY }
    item.toggleAttribute("dragging", true)
    // On the document: what is taken from its place hears nothing more of the pointer.
    const listen = (name, act) => document.addEventListener(name, act, { signal: stop.signal })
    listen("pointermove", (move) => Object.assign(this.#drag, { x: move.clientX, y: move.clientY }))
    listen("pointerup", () => this.#drop(true))
    listen("pointercancel", () => this.#drop(false))
    listen("keydown", (key) => { if (key.key === "Escape") this.#drop(false) })
    requestAnimationFrame(() => this.#follow())
  }

  #follow() {
    if (!this.#drag) return
    const { item, x, y } = this.#drag
    if (y < 80) scrollBy(0, -10)
    if (y > innerHeight - 60) scrollBy(0, 10)
    const under = document.elementFromPoint(x, y)
    if (this.contains(under) && !item.contains(under)) this.#place(item, under, y)
    requestAnimationFrame(() => this.#follow())
  }

  #place(item, under, y) {
    const isLesson = Boolean(item.parentElement.closest("[data-key]"))
    const module = under.closest("[data-key^=module]")
    const target = isLesson ? under.closest("[data-list] > [data-key]") : module
    if (target) {
      const { top, height } = target.getBoundingClientRect()
      const isAbove = target.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_FOLLOWING
      // Past its middle, so that a short one and a tall one do not change places for ever.
      if (isAbove && y < top + height / 2) target.before(item)
      if (!isAbove && y > top + height / 2) target.after(item)
    } else if (isLesson && module && !module.contains(item)) {
      const list = this.#list(module)
      y < list.getBoundingClientRect().top ? list.prepend(item) : list.append(item)
    }
  }

  #drop(isMeant) {
    const { item, stop, before } = this.#drag
    this.#drag = undefined
    stop.abort()
    item.toggleAttribute("dragging", false)
    if (!isMeant) this.#arrange(before)
    else if (before.join() !== this.#order.join()) this.#settle(item)
    item.querySelector("[data-handle]").focus()
  }

  // What follows a move

  #list(module) {
    return module.querySelector("[data-list]")
  }

  #settle(item) {
    this.#edges()
    const siblings = [...item.parentElement.children]
    const words = {
      name: item.dataset.name,
      place: siblings.indexOf(item) + 1,
      count: siblings.length,
      list: item.parentElement.closest("[data-name]").dataset.name,
    }
    this.#sentence = this.getAttribute("moved").replace(/\{(\w+)\}/g, (_all, word) => words[word])
    this.#saving = this.#saving.then(() => this.#save())
  }

  // One after the other; moves made while one is on its way are saved together.
  async #save() {
    const order = this.#order
    const sentence = this.#sentence
    if (order.join() === this.#saved.join()) return
    const form = document.getElementById(this.getAttribute("form"))
    const body = new FormData(form)
    for (const key of order) body.append("order", key)
    const answer = await fetch(form.action, { method: "POST", body }).catch(() => null)
    if (answer?.ok && !answer.redirected) {
      this.#saved = order
      document.getElementById(this.getAttribute("follows")).outerHTML = await answer.text()
      this.#fail("")
      this.querySelector("[data-said]").textContent = sentence
    } else {
      this.#arrange(this.#saved)
      this.#fail(answer?.status === 409 ? await answer.text() : this.getAttribute("failed"))
    }
  }

  #fail(sentence) {
    const notice = this.querySelector("[data-failure]")
    notice.hidden = !sentence
    notice.querySelector("p").textContent = sentence
  }

  #arrange(order) {
    let list
    for (const key of order) {
      const item = this.querySelector(`[data-key="${key}"]`)
      if (key.startsWith("module-")) {
        item.parentElement.append(item)
        list = this.#list(item)
      } else list.append(item)
    }
    this.#edges()
  }

  #edges() {
    const modules = [...this.querySelectorAll("[data-key^=module]")]
    for (const item of this.querySelectorAll("[data-key]")) {
      const module = item.parentElement.closest("[data-key]")
      const [up, down] = item.querySelectorAll("button[name=move]")
      up.disabled = !item.previousElementSibling && (!module || module === modules[0])
      down.disabled = !item.nextElementSibling && (!module || module === modules.at(-1))
    }
  }
})
