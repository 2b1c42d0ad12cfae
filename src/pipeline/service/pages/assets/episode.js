// A sentence is changed where it stands, heard a moment later, and kept. While the episode is made anew the page says so,
// and then its sound and its words are the new ones, at the place where one was.

import { beside, current, follow, say, show } from "./live.js";

const words = document.getElementById("words").dataset;
const api = `/api/v1/episodes/${encodeURIComponent(words.episode)}`;
const sound = document.getElementById("sound");
let playing = null; // the sentence that is being heard
let form = null; // the one that is open
let kept = false;

const standing = () => document.getElementById("standing").dataset;
// The script that the sentences on this page are those of; what is kept is kept in the place of that one.
const shownAs = () => document.querySelector("[data-part=transcript]").dataset.etag;
// The whole script, once somebody has begun to change it.
const isWrittenIn = (part) => [...part.querySelectorAll("textarea[name=script]")].some((one) => one.value !== one.defaultValue);

let heardAs = standing().sound;

const { refresh } = follow({
  // Nobody's words are taken from under their hands.
  isHeld: (part) => (form !== null && part.contains(form)) || isWrittenIn(part),
  heard(kind, it) {
    if (it.episode === words.episode && kind === "failed") say(words.saidFailed, { what: document.querySelector("h1").textContent, seen: true });
  },
  shown() {
    if (standing().sound === heardAs) return;
    const first = !heardAs;
    heardAs = standing().sound;
    if (first || !sound) { location.reload(); return; } // there is a player now
    renewSound();
    if (kept) say(words.madeAnew, { seen: true });
    kept = false;
  },
});
beside(refresh);
document.getElementById("transcript")?.addEventListener("click", clicked);

function renewSound() {
  const { currentTime, paused, playbackRate } = sound;
  for (const medium of [sound, document.getElementById("film")].filter(Boolean)) medium.load();
  sound.addEventListener("loadedmetadata", () => {
    sound.currentTime = Math.min(currentTime, sound.duration);
    sound.playbackRate = playbackRate;
    if (!paused) sound.play().catch(() => {});
  }, { once: true });
  document.dispatchEvent(new Event("transcript"));
}

// -- the pens ---------------------------------------------------------------------------------------------------------

const editing = document.getElementById("editing");
editing?.addEventListener("click", () => {
  const on = editing.getAttribute("aria-pressed") !== "true";
  editing.setAttribute("aria-pressed", String(on));
  document.getElementById("transcript").classList.toggle("pens", on);
  reach();
});

// Hundreds of pens would be hundreds of stops of the Tab key for whoever only wants to listen.
function reach() {
  const on = editing?.getAttribute("aria-pressed") === "true";
  for (const pen of document.querySelectorAll(".pen")) pen.tabIndex = on ? 0 : -1;
}
reach();
new MutationObserver(reach).observe(document.getElementById("main"), { childList: true, subtree: true });

function clicked(event) {
  const pen = event.target.closest(".pen");
  if (!pen || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  open(Number(pen.dataset.number), pen.dataset.text);
}

// -- one sentence -----------------------------------------------------------------------------------------------------

const penOf = (number) => document.querySelector(`.pen[data-number="${number}"]`);

function open(number, text) {
  close();
  const pen = penOf(number);
  form = document.getElementById("edit").content.firstElementChild.cloneNode(true);
  form.dataset.number = number;
  form.dataset.text = text;
  form.dataset.etag = shownAs();
  const field = form.elements.text;
  field.value = text;
  mark();
  pen.closest("p").after(form);
  form.addEventListener("submit", (event) => { event.preventDefault(); keep(); });
  form.querySelector(".hear").addEventListener("click", hear);
  form.querySelector(".undo").addEventListener("click", (event) => { event.preventDefault(); close({ back: true }); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
    if (event.key === "Escape") { event.preventDefault(); close({ back: true }); }
  });
  sound.pause();
  field.focus();
  field.setSelectionRange(text.length, text.length);
}

function mark() {
  document.querySelector(".line.edited")?.classList.remove("edited");
  if (form) document.getElementById(`s${form.dataset.number}`)?.classList.add("edited");
}

function close({ back = false } = {}) {
  playing?.stop();
  const number = form?.dataset.number;
  form?.remove();
  document.getElementById("edit-form")?.remove(); // one that the service opened
  form = null;
  mark();
  if (back) {
    (penOf(number) ?? editing)?.focus();
    refresh(); // what was held is brought up to date
  }
}

function tell(text, { bad = false, aside = "" } = {}) {
  const place = form.querySelector(".outcome");
  place.classList.toggle("bad", bad);
  place.textContent = aside ? `${text} ${aside}` : text;
}

const asJson = (method, body, headers = {}) => ({ method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });

async function told(answer) {
  const problem = await answer.json().catch(() => ({}));
  return [problem.detail, problem.hint].filter(Boolean).join(" ");
}

// Not through an <audio>: what this page may load as sound lies at this service, and bytes in hand lie nowhere.
async function play(bytes) {
  play.context ??= new AudioContext();
  const source = play.context.createBufferSource();
  source.buffer = await play.context.decodeAudioData(bytes);
  source.connect(play.context.destination);
  playing?.stop();
  playing = source;
  source.addEventListener("ended", () => { if (playing === source) playing = null; });
  source.start();
}

/** Have the words spoken as the episode will have them, and play them. True where they were. */
async function hear() {
  const mine = form, text = form.elements.text.value;
  tell(words.speaking);
  try {
    const answer = await fetch(`${api}/speech`, asJson("POST", { text }));
    if (form !== mine) return false;
    if (!answer.ok) { tell(words.speakFailed, { bad: true, aside: await told(answer) }); return false; }
    await play(await answer.arrayBuffer());
  } catch {
    if (form === mine) tell(words.offline, { bad: true });
    return false;
  }
  if (form === mine) { mine.dataset.heard = text; tell(words.playing); }
  return true;
}

/** Spoken first: what is heard is then in the store already when the episode is made anew. */
async function keep() {
  const mine = form, text = form.elements.text.value;
  if (text.trim() === mine.dataset.text) { close({ back: true }); return; }
  if (mine.dataset.heard !== text && !(await hear())) return;
  if (form !== mine || mine.dataset.busy) return;
  mine.dataset.busy = "yes";
  tell(words.keeping);
  let answer;
  try {
    answer = await fetch(`${api}/sentences/${mine.dataset.number}`, asJson("PUT", { text }, { "If-Match": mine.dataset.etag }));
  } catch {
    tell(words.offline, { bad: true });
    return;
  } finally {
    delete mine.dataset.busy;
  }
  if (answer.status === 412) { await changedMeanwhile(mine); return; }
  if (!answer.ok) { tell(words.keepFailed, { bad: true, aside: await told(answer) }); return; }
  kept = true;
  const number = mine.dataset.number;
  form.remove();
  form = null;
  await update();
  say(words.kept, { seen: true });
  (penOf(number) ?? editing)?.focus({ preventScroll: true });
}

/** Somebody else was quicker. What was written stays; what the sentence says now is told before it is replaced. */
async function changedMeanwhile(mine) {
  const page = await update();
  mine.dataset.etag = shownAs();
  const pens = [...page.querySelectorAll(".pen")];
  const same = pens.find((pen) => pen.dataset.text === mine.dataset.text) ?? pens.find((pen) => pen.dataset.number === mine.dataset.number);
  if (!same) { tell(words.staleGone, { bad: true }); return; }
  mine.dataset.number = same.dataset.number;
  if (penOf(same.dataset.number).closest("p").nextElementSibling !== mine) {
    penOf(same.dataset.number).closest("p").after(mine);
    mine.elements.text.focus();
  }
  mark();
  tell(words.stale.replace("{}", () => same.dataset.text), { bad: true });
}

/** The page as it is now, with the open form kept; gives that page. */
async function update() {
  const page = await current();
  const copy = page.cloneNode(true);
  const focused = form?.contains(document.activeElement) ? document.activeElement : null;
  form?.remove();
  show(page, isWrittenIn);
  document.dispatchEvent(new Event("transcript"));
  if (form) {
    const place = penOf(form.dataset.number)?.closest("p") ?? document.querySelector("[data-part=transcript]").lastElementChild;
    place.after(form);
    mark();
    focused?.focus();
  }
  return copy;
}

// A form that the service opened (a link without a script leads to it) becomes one of ours.
const opened = document.getElementById("edit-form");
if (opened && penOf(opened.dataset.number)) {
  const text = opened.elements.text.value;
  open(Number(opened.dataset.number), penOf(opened.dataset.number).dataset.text);
  form.elements.text.value = text;
}
