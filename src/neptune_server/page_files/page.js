// The page: asks the server for changes, and draws what has been chosen.
import { loadSeriesNames, showCurves, startCurves } from "/curves.js";
import { find } from "/dom.js";
import { openFields, showComparison, showFieldOwners, showFields, startFields } from "/fields.js";
import { loadColumns, showRuns, startRuns } from "/runs.js";
import { LoginNeeded, ask, logIn } from "/server.js";
import { chooseNone, readAddress, state, take } from "/state.js";
import { showModels, startModels } from "/versions.js";

const POLL_MILLISECONDS = 2000;
const QUIET_POLLS = 5; // a run that stops pinging goes idle without any change of the data

let polls = 0;
let shown = "";
let busy = false;

function say(text, lost = false) {
  const status = find("status");
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("lost", lost);
}

async function poll() {
  if (busy || document.hidden || !find("login").hidden) return;
  busy = true;
  try {
    const { change } = await ask("/page/change");
    polls += 1;
    if (change !== state.change || polls % QUIET_POLLS === 0) {
      const summary = await ask("/page/summary");
      const text = JSON.stringify(summary);
      if (text !== shown) {
        take(summary);
        await loadColumns();
        await show();
        shown = text;
      }
    }
    const count = state.runs.length;
    say(`${count} ${count === 1 ? "run" : "runs"}; follows the server`);
  } catch (error) {
    if (error instanceof LoginNeeded) {
      find("login").hidden = false;
      say("This page asks for the server's token.");
    } else {
      say(`The server does not answer (${error.message}); trying again.`, true);
    }
  } finally {
    busy = false;
  }
}

// A part that fails is said, and leaves the others as they are.
async function show() {
  const failures = [];
  const attempt = async (draw) => {
    try {
      await draw();
    } catch (error) {
      if (error instanceof LoginNeeded) throw error;
      failures.push(error);
    }
  };
  await attempt(showRuns);
  await attempt(showModels);
  await attempt(showFieldOwners);
  await Promise.all([
    attempt(async () => { await loadSeriesNames(); await showCurves(); }),
    attempt(showFields), attempt(showComparison),
  ]);
  if (failures.length) throw failures[0];
}

find("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!await logIn()) {
    say("This is not the server's token.", true);
    return;
  }
  find("login").hidden = true;
  state.change = null;
  poll();
});
find("none").addEventListener("click", () => {
  chooseNone();
  show();
});
document.addEventListener("visibilitychange", poll);
startRuns(show, openFields);
startModels(openFields);
startCurves();
startFields();
readAddress();
poll();
setInterval(poll, POLL_MILLISECONDS);
