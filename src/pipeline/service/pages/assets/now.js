// The queue follows what happens, and a voice is heard before it is chosen.

import { beside, follow } from "./live.js";

const { refresh } = follow();
beside(refresh);

const sample = document.getElementById("sample");
if (sample) {
  const voice = document.getElementById("voice"), sound = new Audio();
  const label = (playing) => {
    const text = playing ? sample.dataset.stop : sample.dataset.play;
    sample.setAttribute("aria-label", text);
    sample.title = text;
    sample.firstElementChild.textContent = playing ? "■" : "▶";
  };
  sample.addEventListener("click", () => {
    if (!sound.paused) { sound.pause(); return; }
    sound.src = `/api/v1/voices/${encodeURIComponent(voice.value || sample.dataset.any)}/sample`;
    sound.play().catch(() => label(false));
  });
  voice.addEventListener("change", () => sound.pause());
  sound.addEventListener("playing", () => label(true));
  for (const over of ["pause", "ended", "error"]) sound.addEventListener(over, () => label(false));
}

// After a form was refused, or taken: what it says is where reading goes on.
(document.getElementById("wrong") ?? document.getElementById("asked"))?.focus({ preventScroll: true });
