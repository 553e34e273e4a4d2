// <lesson-player action="…/progress/" position="83"><video controls …></video></lesson-player>
// Goes on where the student stopped, and reports what is played: every ten seconds, at each pause and on
// leaving. An answer that says "done" replaces the parts of the page it brings. With no `action` nothing is
// reported: staff look through a student's eyes. Without JavaScript it is a plain player.
const EVERY = 10_000 // milliseconds
const MOST = 120 // seconds of playing in one report, as many as the server takes
const EDGE = 5 // so near the beginning or the end nobody stopped in the middle

customElements.define("lesson-player", class extends HTMLElement {
  #media
  #at = 0 // where the last look found it
  #parts = [] // [from, to] that were played and are not reported yet
  #position // the last one that was reported
  #reportedAt = 0
  #sent = Promise.resolve()
  #plays = false // as the student wants it: a browser that fails pauses, too
  #failedAt = -Infinity
  #leave = () => this.#send()
  #hide = () => document.hidden && this.#send()

  connectedCallback() {
    this.#media = this.querySelector("video, audio")
    this.#media.addEventListener("seeking", () => { this.#at = this.#media.currentTime })
    this.#media.addEventListener("timeupdate", () => this.#look())
    this.#media.addEventListener("pause", () => this.#report())
    this.#media.addEventListener("play", () => { this.#plays = true })
    this.#media.addEventListener("pause", () => { this.#plays &&= this.#media.error !== null })
    this.#media.addEventListener("error", () => this.#fetchAgain())
    // Captured, for the error of a <source> does not bubble. There is one: no other is tried after it.
    this.addEventListener("error", ({ target }) => this.#judge(target.localName === "source"), { capture: true })
    this.#media.addEventListener("loadedmetadata", () => this.#judge())
    this.#judge() // it may have failed before this script came
    addEventListener("pagehide", this.#leave)
    document.addEventListener("visibilitychange", this.#hide)
    if (this.#media.readyState > 0) this.#resume()
    else this.#media.addEventListener("loadedmetadata", () => this.#resume(), { once: true })
  }

  disconnectedCallback() {
    removeEventListener("pagehide", this.#leave)
    document.removeEventListener("visibilitychange", this.#hide)
  }

  // What lies in a bucket has an address of a few minutes: ours, asked again, leads to another. A second
  // failure at once is a real one.
  #fetchAgain() {
    const media = this.#media
    if (media.error.code !== MediaError.MEDIA_ERR_NETWORK || performance.now() - this.#failedAt < EVERY) return
    this.#failedAt = performance.now()
    const { currentTime } = media
    media.addEventListener("loadedmetadata", () => {
      media.currentTime = currentTime
      if (this.#plays) media.play()
    }, { once: true })
    media.load()
  }

  // Shows the sentence that the browser cannot play what came, and hides it if it can after all.
  #judge(isRefused = false) {
    const { error, networkState } = this.#media
    const isBad = error?.code >= MediaError.MEDIA_ERR_DECODE || networkState === HTMLMediaElement.NETWORK_NO_SOURCE
    this.querySelector(".player__failed").hidden = !isRefused && !isBad
  }

  #resume() {
    const position = Number(this.getAttribute("position"))
    if (position < EDGE || position > this.#media.duration - EDGE) return
    this.#media.currentTime = this.#position = position
    const note = this.querySelector(".player__resumed")
    note.querySelector("[data-time]").textContent = inWords(position)
    note.querySelector("button").addEventListener("click", () => {
      note.hidden = true
      this.#media.currentTime = 0
      this.#media.play()
    })
    note.hidden = false
  }

  #look() {
    const now = this.#media.currentTime
    if (this.#media.seeking || now <= this.#at) return
    const last = this.#parts.at(-1)
    if (last?.[1] === this.#at) last[1] = now
    else this.#parts.push([this.#at, now])
    this.#at = now
    if (performance.now() - this.#reportedAt > EVERY) this.#report()
  }

  // One after the other, so that the latest position is the one that stays.
  #report() {
    this.#reportedAt = performance.now()
    this.#look()
    this.#sent = this.#sent.then(() => this.#send())
  }

  async #send() {
    const { currentTime, duration } = this.#media
    if (!Number.isFinite(duration) || !this.hasAttribute("action")) return
    if (!this.#parts.length && (currentTime === this.#position || !this.#reportedAt)) return
    const played = this.#take()
    this.#position = currentTime
    const words = new URLSearchParams({
      csrfmiddlewaretoken: document.querySelector("[name=csrfmiddlewaretoken]").value,
      position: Math.min(currentTime, duration).toFixed(1),
      duration: duration.toFixed(1),
      played: played.map((part) => part.map((second) => second.toFixed(1)).join("-")).join(","),
    })
    try {
      const answer = await fetch(this.getAttribute("action"), {
        method: "POST", body: words, keepalive: true, redirect: "manual",
      })
      // The lesson is theirs no more, or nobody is logged in: the page itself says what to do.
      if (answer.type === "opaqueredirect" || [403, 404].includes(answer.status)) location.reload()
      if (answer.status === 200) replaceParts(await answer.text())
    } catch {
      this.#parts.unshift(...played) // out of reach: told with the next report
    }
  }

  // What fits into one report; the rest waits for the next.
  #take() {
    const taken = []
    let room = MOST
    while (this.#parts.length && room > 0 && taken.length < 20) {
      const [from, to] = this.#parts[0]
      const end = Math.min(to, from + room)
      taken.push([from, end])
      room -= end - from
      if (end < to) this.#parts[0] = [end, to]
      else this.#parts.shift()
    }
    return taken
  }
})

function replaceParts(html) {
  const parts = new DOMParser().parseFromString(html, "text/html").body.children
  for (const part of [...parts]) document.getElementById(part.id)?.replaceWith(part)
}

function inWords(seconds) {
  const pad = (number) => String(number).padStart(2, "0")
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const rest = pad(Math.floor(seconds) % 60)
  return hours ? `${hours}:${pad(minutes)}:${rest}` : `${minutes}:${rest}`
}
